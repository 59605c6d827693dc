"""Steps whose attempt never ran become ready again: for their agent, or in a pool for whoever is free."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select, text, update

from plumber_core.model import records as r
from plumber_core.model.asked import PAUSED
from plumber_core.model.states import Actor, StepEvent
from plumber_core.storage import tables as t
from plumber_core.storage.guards import FREED, allows, becomes
from plumber_core.storage.store.base import insert_event, now, step_row

_step, _attempt, _execution = t.step_executions.c, t.attempts.c, t.executions.c


def give_back_claims(connection: Connection, *which: ColumnElement[bool]) -> list[r.StepRow]:
    """Give back the steps that are claimed and not started, of the attempts that ``which`` says."""
    joined = select(t.step_executions).join(t.attempts, _attempt.id == _step.attempt_id)
    query = joined.where(_step.state == "claimed", *which).order_by(_step.id).with_for_update(of=t.step_executions)
    rows = connection.execute(query).all()
    return [give_back(connection, step_row(row), StepEvent.GIVE_BACK, Actor.REAPER) for row in rows]


def give_back(connection: Connection, step: r.StepRow, event: StepEvent, actor: Actor) -> r.StepRow:
    """Make a step ready again whose current attempt never ran, in the caller's transaction; its row is locked."""
    values = {
        "state": text(becomes(event)),
        "agent_id": text(FREED),
        "attempt_id": None,
        "ready_at": now() + held(connection, step.execution_id),
        "started_at": None,
    }
    which = (_step.id == step.id, _step.attempt_id == step.attempt_id, text(allows(event, actor)))
    back = update(t.step_executions).where(*which).values(**values).returning(t.step_executions)
    row = step_row(connection.execute(back).one())
    ended = {"ended_at": now(), "state": "never_ran", "log_state": "complete"}
    connection.execute(update(t.attempts).where(_attempt.id == step.attempt_id).values(**ended))
    data = {"step_execution": step.id, "step": step.step, "lane": step.lane, "attempt": step.attempt_id}
    insert_event(connection, "step.ready", step.execution_id, step.agent_id, data)
    return row


def held(connection: Connection, execution: str) -> int:
    """Return what is added to ``ready_at`` of a step that becomes ready: nobody takes one of a paused execution.

    Somebody who pauses it meanwhile is waited for, or waits and finds the step.
    """
    query = select(_execution.state).where(_execution.id == execution).with_for_update(read=True)
    return PAUSED if connection.execute(query).scalar_one() == "paused" else 0
