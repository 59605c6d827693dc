"""Pausing and going on: rare, so no hot writes. Nobody starts anything of a paused execution because what is ready, or
waits to be tried again, is so at a time that never comes (``asked.PAUSED``): a claim asks nothing more than before."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, insert, literal, select, update

from plumber_core.model import records as r
from plumber_core.model.asked import NEVER, PAUSED
from plumber_core.model.pausing import Continuation, Pausing
from plumber_core.storage import tables as t
from plumber_core.storage.script import Script
from plumber_core.storage.store.adoption import settle
from plumber_core.storage.store.base import StorePart, dumps, insert_event, now, step_row
from plumber_core.storage.store.counters import lock_counters
from plumber_core.storage.store.giving_back import give_back_claims
from plumber_core.storage.store.halting import carry_out
from plumber_core.storage.store.holds import decide_alone
from plumber_core.storage.store.rounds import cells_of

_execution, _step, _progress = t.executions.c, t.step_executions.c, t.progress.c
_attempt, _hold = t.attempts.c, t.holds.c
_KEPT = literal(PAUSED, BigInteger)


class PausePart(StorePart):
    """Implements ``ports.PauseStore``."""

    async def pause(self, change: Pausing) -> bool:
        return await self.write("pause", lambda connection: _pause(connection, change))

    async def go_on(self, change: Continuation) -> list[r.StepRow] | None:
        return await self.write("continue", lambda connection: _go_on(connection, change))


def end_and_pause(connection: Connection, script: Script, parameters: dict[str, Any], end: r.StepEnd) -> bool:
    """Carry out the end of a step with which its execution pauses; one that is paused has another reason then."""
    assert end.pause is not None
    _lock(connection, end.execution_id)
    open_ = (_execution.state.in_(("running", "paused")), _execution.cancel_requested.is_(False))
    if connection.execute(select(_execution.id).where(_execution.id == end.execution_id, *open_)).first() is None:
        return False
    if not carry_out(connection, script, parameters):
        return False
    told = ("execution.paused", end.pause)
    if not _pause(connection, Pausing(end.execution_id, end.pause, told)):
        paused = (_execution.id == end.execution_id, _execution.state == "paused")
        connection.execute(update(t.executions).where(*paused).values(pause=dumps(end.pause)))
        insert_event(connection, told[0], end.execution_id, None, told[1])
    return True


def _lock(connection: Connection, execution: str) -> tuple[int, ...]:
    """Lock in the order of the reports, counters first; before all who may hold what, as whoever decides that does."""
    decide_alone(connection)
    return lock_counters(connection, execution)


def _pause(connection: Connection, change: Pausing) -> bool:
    _lock(connection, change.execution)
    running = (_execution.state == "running", _execution.cancel_requested.is_(False))
    # First of all: whoever gives a step back from now on waits for this row.
    paused = update(t.executions).where(_execution.id == change.execution, *running)
    values = {"state": "paused", "paused_at": now(), "pause": dumps(change.pause)}
    if connection.execute(paused.values(**values)).rowcount != 1:
        return False
    decided = update(t.progress).where(_progress.execution_id == change.execution)
    connection.execute(decided.values(control=_progress.control + 1))
    give_back_claims(connection, _attempt.execution_id == change.execution)
    _keep_back(connection, change.execution)
    insert_event(connection, change.told[0], change.execution, None, change.told[1])
    return True


def _keep_back(connection: Connection, execution: str) -> None:
    """Let nobody take what is ready; what has got its locks and not begun gives them back, and keeps its place."""
    mine = (_step.execution_id == execution, _step.ready_at < PAUSED)
    unbegun = and_(_step.state == "ready", _step.locked, _step.retries == 0)
    holding = select(_step.id).where(*mine, unbegun)
    connection.execute(update(t.holds).where(_hold.holder.in_(holding)).values(granted_at=None))
    later = case((unbegun, literal(NEVER, BigInteger)), else_=_step.ready_at + _KEPT)
    waiting = (*mine, _step.state.in_(("ready", "retry_wait")))
    connection.execute(update(t.step_executions).where(*waiting).values(ready_at=later))


def _go_on(connection: Connection, change: Continuation) -> list[r.StepRow] | None:
    execution = change.settlement.execution
    counted = _lock(connection, execution)
    if counted != change.settlement.controls or cells_of(connection, execution) != change.cells:
        return None
    row = connection.execute(select(_execution.paused_at, now().label("at")).where(_execution.id == execution)).one()
    paused = (_execution.id == execution, _execution.state == "paused", _execution.cancel_requested.is_(False))
    values = {
        "state": "running",
        "paused_at": None,
        "pause": None,
        "round": change.round,
        "warnings": _execution.warnings + change.warnings,
        "deadline_at": _execution.deadline_at + (row.at - (row.paused_at or row.at)),
    }
    if connection.execute(update(t.executions).where(*paused).values(**values)).rowcount != 1:
        return None
    _insert(connection, change)
    for kind, data in change.told:
        insert_event(connection, kind, execution, None, data)
    woken = _let_go(connection, execution, row.paused_at or row.at)
    settled = settle(connection, change.settlement)
    assert settled, "counters changed although they are locked"
    return woken


def _insert(connection: Connection, change: Continuation) -> None:
    rows = [
        {
            "id": row.id,
            "execution_id": change.settlement.execution,
            "stage": row.stage,
            "step": row.step,
            "lane": row.lane,
            "agent_id": row.agent,
            "round": change.round,
            "state": row.state.value,
            "attempt_number": row.number,
            "by_hand": row.by_hand,
            "ended_at": now(),
        }
        for row in change.rows
    ]
    for values in rows:
        connection.execute(insert(t.step_executions).values(**values))


def _let_go(connection: Connection, execution: str, since: int) -> list[r.StepRow]:
    """Let what was kept back be taken, and tried again when its time has come; no time has passed for who waits for
    locks."""
    mine = (_step.execution_id == execution, _step.ready_at >= PAUSED, _step.ready_at < NEVER)
    ready = update(t.step_executions).where(*mine, _step.state == "ready").values(ready_at=now())
    woken = [step_row(row) for row in connection.execute(ready.returning(t.step_executions))]
    again = update(t.step_executions).where(*mine, _step.state == "retry_wait")
    connection.execute(again.values(ready_at=_step.ready_at - _KEPT))
    asking: tuple[ColumnElement[bool], ...] = (_hold.execution_id == execution, _hold.granted_at.is_(None))
    begun = case((_hold.asked_at > since, _hold.asked_at), else_=literal(since, BigInteger))
    connection.execute(update(t.holds).where(*asking).values(asked_at=_hold.asked_at + now() - begun))
    return woken
