"""What somebody waits for: his place in each queue, and who holds what he wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from plumber_core.model import holds as h
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import optional_json

_hold, _step, _execution = t.holds.c, t.step_executions.c, t.executions.c
_PLACE = (_hold.name, _hold.label, _hold.most, _hold.overlap, _hold.holder, _hold.granted_at)
SHOWN = 3
"""Holders that are told; a shared lock may have thousands."""


def looks_at(connection: Connection, holders: Collection[str]) -> dict[str, list[h.HoldLook]]:
    """Return what ``holders`` wait for, each in the order in which it asked."""
    open_ = (_hold.granted_at.is_(None), _hold.refused.is_(None))
    mine = connection.execute(select(*_PLACE).where(_hold.holder.in_(sorted(holders)), *open_).order_by(_hold.id)).all()
    names = {row.name for row in mine}
    places: dict[str, dict[str, int]] = {}
    granted: dict[str, list[h.HolderLook]] = {}
    for name in names:
        queue = select(_hold.holder).where(_hold.name == name, *open_).order_by(_hold.priority.desc(), _hold.id)
        places[name] = {holder: n for n, holder in enumerate(connection.execute(queue).scalars(), 1)}
        granted[name] = [_holder(row) for row in connection.execute(_HOLDERS.where(_hold.name == name).limit(SHOWN))]
    found: dict[str, list[h.HoldLook]] = defaultdict(list)
    for row in mine:
        position, holding = places[row.name][row.holder], tuple(granted[row.name])
        found[row.holder].append(h.HoldLook(row.label, row.most, position, holding, row.overlap is not None))
    return found


_HOLDERS = (
    select(_hold.execution_id, _execution.task, _execution.requested_by, _step.spec, _step.agent_id, t.agents.c.name)
    .join(t.executions, _execution.id == _hold.execution_id)
    .outerjoin(t.step_executions, _step.id == _hold.holder)
    .outerjoin(t.agents, t.agents.c.id == _step.agent_id)
    .where(_hold.granted_at.is_not(None))
    .order_by(_hold.granted_at, _hold.id)
)


def _holder(row: Any) -> h.HolderLook:
    spec = optional_json(row.spec) or {}
    return h.HolderLook(row.execution_id, row.task, row.requested_by, spec.get("step"), row.name or row.agent_id)
