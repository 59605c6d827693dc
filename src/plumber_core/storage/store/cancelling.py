"""The cancel of hosts, or of a step on them, while the rest of the execution goes on: rare, so no hot write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select, text, update

from plumber_core.model import records as r
from plumber_core.model.cancelling import SomeCancelled
from plumber_core.model.rounds import Place
from plumber_core.model.states import Actor, StepEvent
from plumber_core.storage import tables as t
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.store.adoption import settle
from plumber_core.storage.store.base import StorePart, dumps, insert_event, now, step_row
from plumber_core.storage.store.counters import lock_counters
from plumber_core.storage.store.executions import end_claims
from plumber_core.storage.store.holds import decide_alone
from plumber_core.storage.store.rounds import cells_of

_execution, _step = t.executions.c, t.step_executions.c
AT_ONCE = 500
"""Steps named in one statement."""


class CancelPart(StorePart):
    """Implements ``ports.PauseStore.cancel_some``."""

    async def cancel_some(self, change: SomeCancelled) -> list[r.StepRow] | None:
        return await self.write("cancel_some", lambda connection: _cancel(connection, change))


def _cancel(connection: Connection, change: SomeCancelled) -> list[r.StepRow] | None:
    """Locks in the order of the reports, counters first: from then on nothing ends."""
    decide_alone(connection)
    controls = lock_counters(connection, change.execution)
    if controls != change.controls or cells_of(connection, change.execution) != change.cells:
        return None
    if not _note(connection, change):
        return None
    _end(connection, change, change.touched.waiting)
    live = _ask(connection, change, change.touched.live)
    for kind, data in change.told:
        insert_event(connection, kind, change.execution, None, data)
    if change.settlement is not None:
        settled = settle(connection, change.settlement)
        assert settled, "counters changed although they are locked"
    return live


def _note(connection: Connection, change: SomeCancelled) -> bool:
    row = connection.execute(select(_execution.left_out).where(_execution.id == change.execution)).one()
    left_out = {*json.loads(row.left_out or "[]"), *change.leaves_out}
    states = ["running"] if change.settlement is not None else ["paused"]
    which = (_execution.id == change.execution, _execution.state.in_(states), _execution.cancel_requested.is_(False))
    values: dict[str, Any] = {"round": change.round, "warnings": _execution.warnings + change.warnings}
    if left_out:
        values["left_out"] = dumps(sorted(left_out))
    return connection.execute(update(t.executions).where(*which).values(**values)).rowcount == 1


def _end(connection: Connection, change: SomeCancelled, places: Sequence[Place]) -> None:
    may = text(allows(StepEvent.CANCEL, Actor.SERVER))
    values = {"state": text(becomes(StepEvent.CANCEL)), "ended_at": now(), "cancel_requested": True}
    for some in _pieces([change.cells[place].id for place in places]):
        connection.execute(
            update(t.step_executions).where(_step.id.in_(some), may).values(**values, **_by_hand(change))
        )
    end_claims(connection, change.execution)


def _ask(connection: Connection, change: SomeCancelled, places: Sequence[Place]) -> list[r.StepRow]:
    may = text(allows(StepEvent.CANCEL, Actor.SERVER))
    values = {"state": text(becomes(StepEvent.CANCEL)), "cancel_requested": True}
    live: list[r.StepRow] = []
    for some in _pieces([change.cells[place].id for place in places]):
        asked = update(t.step_executions).where(_step.id.in_(some), may).values(**values, **_by_hand(change))
        live += map(step_row, connection.execute(asked.returning(t.step_executions)))
    return live


def _by_hand(change: SomeCancelled) -> dict[str, Any]:
    """What a host does not do that was taken out is nobody's failure."""
    return {"by_hand": "cancel"} if change.leaves_out else {}


def _pieces(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
