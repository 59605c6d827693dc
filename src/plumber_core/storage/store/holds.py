"""Who may hold what: decided by one server at a time, over everything that has to do with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select, text, update

from plumber_core.errors import Conflict
from plumber_core.model import holds as h
from plumber_core.model import records as r
from plumber_core.model.asked import EVERYTHING, NEVER, Asked
from plumber_core.planning.admission import admit
from plumber_core.reasons import because
from plumber_core.storage import hot
from plumber_core.storage import tables as t
from plumber_core.storage.store.asking import ask
from plumber_core.storage.store.base import StorePart, dumps, microseconds, now, optional_json, step_row
from plumber_core.storage.store.hold_looks import looks_at
from plumber_core.storage.store.writing import asks_json, started_event, starts_json, told_event

_hold, _step, _execution = t.holds.c, t.step_executions.c, t.executions.c
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(4703145)")
AT_ONCE = 5000
"""Names, or holders, in one statement."""


class HoldPart(StorePart):
    """Implements ``ports.HoldStore``."""

    async def admit(self, names: Collection[str]) -> h.Admitted:
        return await self.write("admit", lambda connection: _admit(connection, set(names)))

    async def begin(self, beginning: h.Beginning) -> bool:
        starts, execution = beginning.starts, beginning.execution
        asks = any(start.wants for start in starts)
        events = [told_event(("execution.running", {})), *map(told_event, beginning.told), *map(started_event, starts)]
        parameters = {
            "execution": execution,
            "timeout": None if beginning.timeout is None else microseconds(beginning.timeout),
            "starts": starts_json(starts),
            "asks": asks_json(execution, starts),
            "events": dumps(events),
        }
        return await self.hot("begin", hot.begin(starts=bool(starts), asks=asks), parameters)

    async def holds(self, holders: Collection[str]) -> dict[str, list[h.HoldLook]]:
        return await self.database.snapshot(lambda connection: looks_at(connection, holders))


def _admit(connection: Connection, names: set[str]) -> h.Admitted:
    decide_alone(connection)
    asking = _asking(connection, names)
    if not asking:
        # Somebody may have got everything from a server that died before it let him begin.
        return h.Admitted(executions=_begun(connection), ending=_ending(connection, {}))
    verdict = admit(_rows(connection, asking))
    granted = set(verdict.granted)
    for some in _pieces(granted):
        connection.execute(update(t.holds).where(_hold.holder.in_(some)).values(granted_at=now()))
    for holder, problem in verdict.refused.items():
        connection.execute(update(t.holds).where(_hold.holder == holder).values(refused=dumps(problem)))
    return h.Admitted(_ready(connection, granted), _begun(connection), _ending(connection, verdict.replaced))


def decide_alone(connection: Connection) -> None:
    """Let nobody else decide who holds what until this transaction has ended. On SQLite a writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_AT_A_TIME)


def take(connection: Connection, execution: str, wants: Sequence[Asked]) -> None:
    """Have an execution that goes on hold again what it needs, in the caller's transaction.

    Raises: Conflict (others hold it, or were there before).
    """
    if not wants:
        return
    decide_alone(connection)
    ask(connection, execution, execution, wants)
    names = {wanted.name for wanted in wants}
    if execution not in admit(_rows(connection, _asking(connection, names))).granted:
        raise Conflict(reason=because("resume_held", names=", ".join(wanted.label for wanted in wants[:3])))
    connection.execute(update(t.holds).where(_hold.holder == execution).values(granted_at=now()))


def _asking(connection: Connection, names: set[str]) -> set[str]:
    """Return the names that are asked for among these, with all that is asked for beside them, and so on."""
    open_ = (_hold.granted_at.is_(None), _hold.refused.is_(None), _awake())
    if EVERYTHING in names:
        return set(connection.execute(select(_hold.name).distinct().where(*open_)).scalars())
    found: set[str] = set()
    new = names
    while new:
        beside: set[str] = set()
        for some in _pieces(new):
            holders = select(_hold.holder).where(*open_, _hold.name.in_(some))
            beside |= set(connection.execute(select(_hold.name).distinct().where(_hold.holder.in_(holders))).scalars())
        found |= beside
        new = beside - names
        names = names | beside
    return found


def _awake() -> ColumnElement[bool]:
    """Return the condition that whoever asks for something could use it: a paused execution keeps its steps' places,
    and stands in nobody's way meanwhile."""
    paused = select(_execution.id).where(_execution.state == "paused")
    return or_(_hold.granted_at.is_not(None), _hold.execution_id.not_in(paused))


def _rows(connection: Connection, names: set[str]) -> list[h.Hold]:
    rows: list[h.Hold] = []
    for some in _pieces(names):
        query = select(t.holds).where(_hold.name.in_(some), _hold.refused.is_(None), _awake())
        rows += map(hold_row, connection.execute(query))
    return rows


def hold_row(row: Row[Any]) -> h.Hold:
    """Read a row of ``holds``."""
    wanted = Asked(row.name, row.label, row.most, row.priority, row.overlap, row.most_waiting)
    return h.Hold(row.id, row.holder, row.execution_id, wanted, row.granted_at is not None)


def _ready(connection: Connection, granted: set[str]) -> list[r.StepRow]:
    """Let steps be claimed that have got everything."""
    steps: list[r.StepRow] = []
    for some in _pieces(granted):
        waiting = (_step.id.in_(some), _step.state == "ready", _step.ready_at == NEVER)
        ready = update(t.step_executions).where(*waiting).values(ready_at=now()).returning(t.step_executions)
        steps += map(step_row, connection.execute(ready))
    return steps


def _begun(connection: Connection) -> list[str]:
    """Return the queued executions that have got everything, whoever saw it."""
    lacking = select(_hold.holder).where(_hold.granted_at.is_(None), _hold.holder == _execution.id)
    queued = (_execution.state == "queued", _execution.cancel_requested.is_(False), ~lacking.exists())
    return list(connection.execute(select(_execution.id).where(*queued).order_by(_execution.id)).scalars())


def _ending(connection: Connection, replaced: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the executions that have to end, and why."""
    refused = select(_hold.execution_id, _hold.refused, _hold.label).where(_hold.refused.is_not(None))
    ending = {row.execution_id: optional_json(row.refused) for row in connection.execute(refused)}
    for some in _pieces(replaced):
        running = (_execution.id.in_(some), _execution.cancel_requested.is_(False))
        for execution in connection.execute(select(_execution.id).where(*running)).scalars():
            ending[execution] = {"code": "replaced", "arguments": {"by": replaced[execution]}}
    return ending


def _pieces(values: Iterable[str]) -> list[Sequence[str]]:
    ordered = sorted(values)
    return [ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE)]
