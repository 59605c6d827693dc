"""The counters of an execution's stages, locked in the order in which reports lock them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from plumber_core.storage import tables as t

_progress = t.progress.c


def lock_counters(connection: Connection, execution: str) -> tuple[int, ...]:
    """Return the ``control`` of all stages, in order: from here on nothing of the execution ends."""
    controls = select(_progress.control).where(_progress.execution_id == execution).order_by(_progress.stage)
    return tuple(connection.execute(controls.with_for_update()).scalars())
