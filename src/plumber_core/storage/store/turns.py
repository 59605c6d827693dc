"""The turn of a plan's parts: rare, so it is no hot write, but it is one transaction all the same."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, select, text, update

from plumber_core.model.forgotten import Settlement
from plumber_core.model.parts import TURN, Outcome
from plumber_core.model.records import PASSED, Passed, Start
from plumber_core.model.rounds import PartState
from plumber_core.model.states import Actor, StepEvent
from plumber_core.model.turns import CancelScope, PartBegins, Turn
from plumber_core.storage import tables as t
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.hot import PASS, START
from plumber_core.storage.script import macros
from plumber_core.storage.store.asking import ask
from plumber_core.storage.store.base import StorePart, dumps, insert_event, insert_events, microseconds, now
from plumber_core.storage.store.counters import lock_counters
from plumber_core.storage.store.writing import passed_event, passed_json, starts_json

_execution, _step, _progress = t.executions.c, t.step_executions.c, t.progress.c
_NO_WAIT: dict[str, Any] = {"waits": None, "opens_at": None}


class TurnPart(StorePart):
    """Implements ``ports.ExecutionStore.take_turn``."""

    async def take_turn(self, turn: Turn) -> bool:
        return await self.write("turn", lambda connection: _take(connection, turn))


def _take(connection: Connection, turn: Turn) -> bool:
    """Locks in the order of the reports: counters first, then steps, then the execution."""
    if lock_counters(connection, turn.execution) != turn.controls:
        return False
    running = (_execution.id == turn.execution, _execution.state == "running")
    if connection.execute(select(_execution.id).where(*running)).first() is None:
        return False
    _set(connection, turn.execution, _progress.stage.in_(turn.seen), opens_at=None)
    for part in turn.begins:
        _begin_part(connection, turn.execution, part)
    pass_over(connection, turn.execution, turn.passed)
    for over in turn.over:
        _end_part(connection, turn.execution, over.first, over.outcome)
        if over.awaits_look:
            # This server may die before it does.
            _set(connection, turn.execution, _progress.stage == over.first, opens_at=now())
        _skip(connection, turn.execution, range(over.first, over.stop))
    _start(connection, turn)
    if turn.main is None and turn.state is None:
        # Steps that are skipped with a part have no events of their own: whoever shows them looks again.
        data = {"begins": len(turn.begins), "skipped": len(turn.over)}
        insert_event(connection, "execution.turn", turn.execution, None, data)
    for kind, data in turn.told:
        insert_event(connection, kind, turn.execution, None, data)
    _end_execution(connection, turn)
    return True


def _begin_part(connection: Connection, execution: str, part: PartBegins) -> None:
    here = _progress.stage == part.stage
    counted = {"remaining": case((here, part.lanes), else_=0), "missed": case((here, part.missed), else_=0)}
    which = _progress.stage.in_({part.first, part.stage})
    _set(connection, execution, which, control=_progress.control + 1, **counted, **_NO_WAIT)


def was_passed(cause: str | None) -> bool:
    """Say whether a condition has passed a step over that ended for this cause."""
    return cause is not None and json.loads(cause).get("code") == PASSED


def pass_over(connection: Connection, execution: str, passed: tuple[Passed, ...]) -> None:
    """Skip steps that conditions pass over, in the caller's transaction."""
    if passed:
        sql = text(macros(PASS.replace("{ok}", "1 = 1"), connection.dialect.name))
        connection.execute(sql, {"passed": passed_json(passed)})
        told = [(event["agent"], event["data"]) for event in map(passed_event, passed)]
        insert_events(connection, "step.skipped", execution, told)


def end_parts(connection: Connection, execution: str, scope: CancelScope, live: set[int]) -> None:
    """End the parts of a cancelled execution in which nothing runs, in the caller's transaction; if there is no other,
    somebody has to look what follows."""
    for first, stop in scope.parts:
        if live.isdisjoint(range(first, stop)) and not _has_ended(connection, execution, range(first, stop)):
            _end_part(connection, execution, first, "cancelled")
    if not live:
        _set(connection, execution, _progress.outcome.is_not(None), opens_at=now())


def lay_parts(connection: Connection, execution: str, parts: tuple[PartState, ...]) -> None:
    """Write how the parts of an execution stand that goes on, in the caller's transaction: somebody has to look."""
    for part in parts:
        mine = and_(_progress.stage >= part.first, _progress.stage < part.stop)
        _set(connection, execution, mine, outcome=None, **_NO_WAIT)
        here = _progress.stage == part.first
        if part.outcome is None:
            _set(connection, execution, here, waits=TURN, opens_at=now())
        else:
            _set(connection, execution, here, outcome=part.outcome)


def settle_parts(connection: Connection, change: Settlement) -> None:
    """Write which parts have begun and ended as far as agents know, in the caller's transaction."""
    begun = (_progress.stage.in_(change.begun), _progress.waits == TURN)
    _set(connection, change.execution, and_(*begun), **_NO_WAIT)
    for first, outcome in change.outcomes:
        _set(connection, change.execution, _progress.stage == first, outcome=outcome, opens_at=now())


def _has_ended(connection: Connection, execution: str, stages: range) -> bool:
    which = (_progress.execution_id == execution, _progress.stage.in_(stages), _progress.outcome.is_not(None))
    return connection.execute(select(_progress.stage).where(*which)).first() is not None


def _end_part(connection: Connection, execution: str, first: int, outcome: Outcome) -> None:
    control = _progress.control + 1
    _set(connection, execution, _progress.stage == first, outcome=outcome, control=control, remaining=0, **_NO_WAIT)


def _set(connection: Connection, execution: str, which: ColumnElement[bool], **values: Any) -> None:
    connection.execute(update(t.progress).where(_progress.execution_id == execution, which).values(**values))


def _skip(connection: Connection, execution: str, stages: range) -> None:
    may = text(allows(StepEvent.SKIP, Actor.SERVER))
    which = (_step.execution_id == execution, _step.stage >= stages.start, _step.stage < stages.stop, may)
    skipped = {"state": text(becomes(StepEvent.SKIP)), "ended_at": now()}
    connection.execute(update(t.step_executions).where(*which).values(**skipped))


def _start(connection: Connection, turn: Turn) -> None:
    """Make steps ready: whoever has a slot for one claims it."""
    if not turn.starts:
        return
    sql = text(macros(START.replace("{ok}", "1 = 1"), connection.dialect.name))
    connection.execute(sql, {"starts": starts_json(turn.starts)})
    for start in turn.starts:
        if start.wants:
            ask(connection, turn.execution, start.step_id, start.wants)
    told = [(start.agent_id, _told(start)) for start in turn.starts]
    insert_events(connection, "step.ready", turn.execution, told)


def _told(start: Start) -> dict[str, Any]:
    return {"step_execution": start.step_id, "step": start.step, "attempt": None}


def _end_execution(connection: Connection, turn: Turn) -> None:
    """Note how all but what always runs has ended; end the execution if its time has come."""
    which = update(t.executions).where(_execution.id == turn.execution)
    if turn.problem is not None:
        connection.execute(which.where(_execution.problem.is_(None)).values(problem=dumps(turn.problem)))
    if turn.main is not None:
        deadline = now() + microseconds(turn.patience)
        connection.execute(which.values(main_state=turn.main.value, deadline_at=deadline))
        insert_event(connection, "execution.always", turn.execution, None, {"state": turn.main.value})
    if turn.state is not None:
        connection.execute(which.values(state=turn.state.value, ended_at=now()))
        data = {"problem": turn.problem} if turn.problem else {}
        insert_event(connection, f"execution.{turn.state}", turn.execution, None, data)
