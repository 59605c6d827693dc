"""The end of a step with which a rollout stops: rare, so it is no hot write, but it is one transaction all the same."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, select, text, update

from plumber_core.model.states import Actor, ExecutionState, StepEvent
from plumber_core.storage import tables as t
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.script import Script
from plumber_core.storage.store.base import insert_event, insert_events, now

_execution, _step, _progress = t.executions.c, t.step_executions.c, t.progress.c
_PARAMETER = re.compile(r":(\w+)")
AT_ONCE = 5000
"""Lanes named in one statement."""


def end_and_halt(connection: Connection, script: Script, parameters: dict[str, Any], first: int) -> bool:
    """Carry out the end of a step with which a rollout stops: hosts that have not begun are skipped with it.

    Hosts that are being handed their first step in this moment are in flight.
    """
    if not carry_out(connection, script, parameters):
        return False
    execution, stage = parameters["execution"], parameters["stage"]
    mine = (_step.execution_id == execution, _step.stage == stage)
    unbegun = (_step.step == first, _step.state == "ready", _step.retries == 0)
    waiting = select(_step.id, _step.lane, _step.agent_id).where(*mine, *unbegun).order_by(_step.id)
    rows = connection.execute(waiting.with_for_update(skip_locked=True)).all()
    skipped = {"state": text(becomes(StepEvent.SKIP)), "ended_at": now()}
    may = text(allows(StepEvent.SKIP, Actor.SERVER))
    later: set[int] = set()
    for start in range(0, len(rows), AT_ONCE):
        lanes = [row.lane for row in rows[start : start + AT_ONCE]]
        which = update(t.step_executions).where(*mine, _step.lane.in_(lanes), may)
        later |= set(connection.execute(which.values(**skipped).returning(_step.step)).scalars())
    told = {"step": first, "skipped": sorted(later - {first})}
    lanes_told = [(row.agent_id, {"step_execution": row.id, "lane": row.lane, **told}) for row in rows]
    insert_events(connection, "step.skipped", execution, lanes_told)
    counter = update(t.progress).where(_progress.execution_id == execution, _progress.stage == stage)
    left = counter.values(remaining=_progress.remaining - len(rows)).returning(_progress.remaining)
    if connection.execute(left).scalar_one() == 0:
        _end_stopped(connection, execution, stage, parameters["part_stop"], skipped)
        _tell_end(connection, execution, stage, in_parts=parameters["in_parts"])
    return True


def _end_stopped(connection: Connection, execution: str, stage: int, stop: int, skipped: dict[str, Any]) -> None:
    """Nobody is in flight: what follows is skipped."""
    behind = (_step.stage > stage, _step.stage < stop, text(allows(StepEvent.SKIP, Actor.SERVER)))
    rest = update(t.step_executions).where(_step.execution_id == execution, *behind)
    connection.execute(rest.values(**skipped))


def _tell_end(connection: Connection, execution: str, stage: int, *, in_parts: bool) -> None:
    """The execution has failed, or this part of it."""
    if in_parts:
        which = (_progress.execution_id == execution, _progress.stage == stage)
        connection.execute(update(t.progress).where(*which).values(outcome="failed", opens_at=now()))
        return
    ended = {"state": ExecutionState.FAILED.value, "ended_at": now()}
    connection.execute(update(t.executions).where(_execution.id == execution).values(**ended))
    insert_event(connection, "execution.failed", execution, None, {})


def carry_out(connection: Connection, script: Script, parameters: dict[str, Any]) -> bool:
    """Carry out a hot script inside of the caller's transaction."""

    def run(sql: str) -> Any:
        return connection.execute(text(sql), {name: parameters[name] for name in set(_PARAMETER.findall(sql))})

    if connection.dialect.name == "postgresql":
        return bool(run(script.named).scalar_one())
    guard, *writes = script.sqlite
    if run(guard).first() is None:
        return False
    for write in writes:
        run(write)
    return True
