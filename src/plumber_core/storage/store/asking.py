"""What is asked for outside of the hot path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, insert

from plumber_core.model.asked import Asked
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import now


def ask(connection: Connection, execution: str, holder: str, wants: Sequence[Asked]) -> None:
    """Ask for all that an execution, or a step of it, has to hold, in the caller's transaction."""
    for wanted in wants:
        values = {"holder": holder, "execution_id": execution, "asked_at": now()}
        connection.execute(insert(t.holds).values(**values, **asdict(wanted)))
