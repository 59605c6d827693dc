"""Executions, their steps and attempts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    update,
)

from plumber_core.model import records as r
from plumber_core.model.limits import OUT_OF_TIME
from plumber_core.model.plan import Plan
from plumber_core.model.states import (
    LIVE_STEP_STATES,
    WAITING_STEP_STATES,
    Actor,
    ExecutionState,
    StepEvent,
    StepState,
    move_step,
)
from plumber_core.model.turns import CancelScope
from plumber_core.storage import tables as t
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.store.agents import awaited, session_holds
from plumber_core.storage.store.base import (
    StorePart,
    attempt_row,
    dumps,
    insert_event,
    now,
    optional_json,
    step_row,
)
from plumber_core.storage.store.events import last_cursor
from plumber_core.storage.store.giving_back import give_back
from plumber_core.storage.store.reaper import leads
from plumber_core.storage.store.turns import end_parts

_execution, _step, _attempt, _progress = t.executions.c, t.step_executions.c, t.attempts.c, t.progress.c
_WAITING = [state.value for state in WAITING_STEP_STATES]
_LIVE = [state.value for state in LIVE_STEP_STATES]
SUMMARY = tuple(column for column in t.executions.c if column.name not in ("plan", "request_id"))


# Made once: to make a statement takes longer than to run it.
_STEP_OF = (
    select(t.step_executions, t.attempts)
    .join(t.attempts, _attempt.step_execution_id == _step.id)
    .where(_attempt.id == bindparam("attempt"))
)
_COUNTED = ("stage", "remaining", "failed", "control", "carried", "waits", "opens_at", "missed", "outcome")
_COUNTERS = (
    select(*(_progress[name] for name in _COUNTED))
    .where(_progress.execution_id == bindparam("execution"))
    .order_by(_progress.stage)
)
NO_WAIT: dict[str, Any] = {"waits": None, "opens_at": None}
_ONE = select(t.executions).where(_execution.id == bindparam("execution"))

_ONE_ROW = select(*SUMMARY).where(_execution.id == bindparam("execution"))


class ExecutionPart(StorePart):
    """Implements the part of ``ports.ExecutionStore`` that is not hot."""

    async def load(
        self, execution_id: str, plan: Plan | None = None
    ) -> tuple[r.ExecutionRow, Plan, list[r.Progress]] | None:
        return await self.read(lambda connection: _load(connection, execution_id, plan))

    async def picture(self, execution_id: str) -> r.Picture | None:
        def work(connection: Connection) -> r.Picture | None:
            loaded = _load(connection, execution_id)
            if loaded is None:
                return None
            steps = with_agents(_step.execution_id == execution_id).order_by(_step.step, _step.lane, _step.round)
            attempts = select(t.attempts).where(_attempt.execution_id == execution_id).order_by(_attempt.number)
            return r.Picture(
                loaded[0],
                loaded[1],
                [waiting_step_row(row) for row in connection.execute(steps)],
                [attempt_row(row) for row in connection.execute(attempts)],
                last_cursor(connection),
                loaded[2],
            )

        return await self.database.snapshot(work)

    async def step(self, step_id: str) -> r.StepRow | None:
        query = select(t.step_executions).where(_step.id == step_id)
        row = await self.read(lambda connection: connection.execute(query).first())
        return step_row(row) if row else None

    async def step_of(self, attempt_id: str) -> tuple[r.StepRow, r.AttemptRow] | None:
        row = await self.read(lambda connection: connection.execute(_STEP_OF, {"attempt": attempt_id}).first())
        return (step_row(row), attempt_row(row)) if row else None

    async def requeue(self, attempt_id: str, agent_id: str, session: str) -> bool:
        mine = (_step.attempt_id == attempt_id, _step.agent_id == agent_id, _step.cancel_requested.is_(False))
        query = select(t.step_executions).where(*mine, exists().where(session_holds(agent_id, session)))

        def work(connection: Connection) -> bool:
            row = connection.execute(query.with_for_update(of=t.step_executions)).first()
            if row is None:
                return False
            step = step_row(row)
            event = StepEvent.GIVE_BACK if step.state is StepState.CLAIMED else StepEvent.NEVER_RAN
            if move_step(step.state, event, Actor.AGENT, current=True, cancelled=False) is None:
                return False
            give_back(connection, step, event, Actor.AGENT)
            return True

        return await self.write("never_ran", work)

    async def store_late(
        self, attempt_id: str, agent_id: str, outcome: dict[str, Any], session: str | None = None
    ) -> str:
        def work(connection: Connection) -> str:
            if (
                session is not None
                and not connection.execute(select(exists().where(session_holds(agent_id, session)))).scalar()
            ):
                return "over"
            query = select(t.attempts).where(_attempt.id == attempt_id, _attempt.agent_id == agent_id)
            row = connection.execute(query.with_for_update()).first()
            if row is None:
                return "unknown"
            attempt = attempt_row(row)
            told = attempt.outcome is not None and attempt.outcome.get("reported", True)
            if outcome == attempt.late or (told and outcome == attempt.outcome):
                return "duplicate"
            if told or attempt.late is not None:
                _keep_both(connection, attempt, outcome)
                return "conflict"
            total = outcome.get("log_end", 0)
            log_state = case((_attempt.log_end == total, "complete"), else_="open")
            values = {"late": dumps(outcome), "log_total": total, "log_state": log_state}
            connection.execute(update(t.attempts).where(_attempt.id == attempt_id).values(**values))
            data = {"step_execution": attempt.step_execution_id, "attempt": attempt_id, "outcome": outcome}
            insert_event(connection, "step.late", attempt.execution_id, agent_id, data)
            return "late"

        return await self.write("late_report", work)

    async def cancel(
        self,
        execution_id: str,
        kill: bool,
        problem: dict[str, Any] | None = None,
        term: r.Term | None = None,
        scope: CancelScope | None = None,
    ) -> list[r.StepRow] | None:
        def work(connection: Connection) -> list[r.StepRow] | None:
            if term is not None and not connection.execute(select(leads(term))).scalar_one():
                return None
            return _cancel(connection, execution_id, kill, problem, scope)

        return await self.write("cancel", work)

    async def list_executions(self, wanted: r.Wanted, limit: int, before: str | None) -> list[r.ExecutionRow]:
        query = select(*SUMMARY).order_by(_execution.id.desc()).limit(limit)
        if wanted.task_id is not None:
            query = query.where(_execution.task_id == wanted.task_id)
        if wanted.state is not None:
            query = query.where(_execution.state == wanted.state.value)
        if wanted.by is not None:
            query = query.where(_execution.requested_by == wanted.by)
        if wanted.search:
            query = query.where(func.lower(_execution.task).contains(wanted.search.lower(), autoescape=True))
        if before is not None:
            query = query.where(_execution.id < before)
        return [execution_row(row) for row in await self.look(lambda connection: connection.execute(query).all())]

    async def count_running(self) -> int:
        """Return how many executions have not ended."""
        open_states = ("queued", "running", "paused")
        query = select(func.count()).select_from(t.executions).where(_execution.state.in_(open_states))
        return int(await self.look(lambda connection: connection.execute(query).scalar_one()))

    async def find_request(self, request_id: str) -> str | None:
        query = select(_execution.id).where(_execution.request_id == request_id)
        return await self.read(lambda connection: connection.execute(query).scalar_one_or_none())


def with_agents(*where: ColumnElement[bool]) -> Select[Any]:
    """Select step executions with what their agents tell of why they wait."""
    waits = _step.state.in_(("unreachable", "ready"))
    columns = (t.agents.c.last_seen_at, t.agents.c.original, awaited().label("awaited"))
    joined = t.step_executions.outerjoin(t.agents, and_(t.agents.c.id == _step.agent_id, waits))
    return select(t.step_executions, *columns).select_from(joined).where(*where)


def waiting_step_row(row: Row[Any]) -> r.StepRow:
    """Read a row of ``with_agents``."""
    step = step_row(row)
    if step.state is StepState.READY and row.awaited:
        return replace(step, silent_since=row.last_seen_at, awaits="vouch" if row.original else "inventory")
    return replace(step, silent_since=row.last_seen_at)


def _keep_both(connection: Connection, attempt: r.AttemptRow, outcome: dict[str, Any]) -> None:
    """The first report stays; what contradicts it is kept beside it and in the event log."""
    if attempt.late is None:
        connection.execute(update(t.attempts).where(_attempt.id == attempt.id).values(late=dumps(outcome)))
    data = {"step_execution": attempt.step_execution_id, "attempt": attempt.id, "outcome": outcome}
    insert_event(connection, "step.conflict", attempt.execution_id, attempt.agent_id, data)


def progress_of(connection: Connection, execution_id: str) -> list[r.Progress]:
    """Read the counters of all stages, in order."""
    return [r.Progress(*values) for values in connection.execute(_COUNTERS, {"execution": execution_id})]


def _load(
    connection: Connection, execution_id: str, plan: Plan | None = None
) -> tuple[r.ExecutionRow, Plan, list[r.Progress]] | None:
    # The counters first: who sees a cancel's control must see the cancel, or what is decided would pass its guard.
    stages = progress_of(connection, execution_id)
    row = connection.execute(_ONE if plan is None else _ONE_ROW, {"execution": execution_id}).first()
    if row is None:
        return None
    return execution_row(row), Plan.from_json(json.loads(row.plan)) if plan is None else plan, stages


def _cancel(
    connection: Connection,
    execution_id: str,
    kill: bool,
    problem: dict[str, Any] | None,
    scope: CancelScope | None,
) -> list[r.StepRow] | None:
    """Locks in the order of the reports: counters first, then steps, then the execution."""
    counters = select(_progress.stage).where(_progress.execution_id == execution_id).order_by(_progress.stage)
    stages = list(connection.execute(counters.with_for_update()).scalars())
    wanted: dict[str, Any] = {"cancel_requested": True, "kill_requested": or_(_execution.kill_requested, literal(kill))}
    if problem is not None:
        wanted["problem"] = func.coalesce(_execution.problem, dumps(problem))
    if scope is not None and scope.always:
        wanted["always_cancelled"] = True
    open_states = ("queued", "running", "paused")
    mine = (_execution.id == execution_id, _execution.state.in_(open_states))
    if connection.execute(update(t.executions).where(*mine).values(**wanted)).rowcount != 1:
        return None
    _end_pause(connection, execution_id)
    ended = case((_step.state.in_([*_WAITING, "claimed"]), now()), else_=_step.ended_at)
    of_these = (_step.execution_id == execution_id, _step.stage < (scope.stop if scope else len(stages)))
    touched = text(allows(StepEvent.CANCEL, Actor.SERVER))
    values = {"state": text(becomes(StepEvent.CANCEL)), "ended_at": ended, "cancel_requested": True}
    connection.execute(update(t.step_executions).where(*of_these, touched).values(**values))
    end_claims(connection, execution_id)
    query = select(t.step_executions).where(*of_these, _step.state.in_(_LIVE))
    live = [step_row(row) for row in connection.execute(query)]
    _count_again(connection, execution_id, stages[: scope.stop] if scope else stages, live)
    if scope is not None:
        end_parts(connection, execution_id, scope, {step.stage for step in live})
    told = {"kill": kill, "running": len(live), **({"problem": problem} if problem else {})}
    insert_event(connection, "execution.cancel_requested", execution_id, None, told)
    if not live and scope is None:
        late = problem is not None and problem.get("code") == OUT_OF_TIME
        state = ExecutionState.FAILED if late else ExecutionState.CANCELLED
        done = {"state": state.value, "ended_at": now()}
        connection.execute(update(t.executions).where(_execution.id == execution_id).values(**done))
        insert_event(connection, f"execution.{state}", execution_id, None, {"problem": problem} if problem else {})
    return live


def _end_pause(connection: Connection, execution_id: str) -> None:
    """One that is being cancelled is not paused any more: what ends counts, and what always runs may begin."""
    paused = (_execution.id == execution_id, _execution.state == "paused")
    running = {"state": ExecutionState.RUNNING.value, "paused_at": None, "pause": None}
    connection.execute(update(t.executions).where(*paused).values(**running))


def end_claims(connection: Connection, execution_id: str) -> None:
    """What was claimed and is cancelled now has never run."""
    cancelled = select(_step.attempt_id).where(_step.execution_id == execution_id, _step.state == "cancelled")
    which = (_attempt.execution_id == execution_id, _attempt.ended_at.is_(None), _attempt.id.in_(cancelled))
    ended = {"ended_at": now(), "state": "never_ran", "log_state": "complete"}
    connection.execute(update(t.attempts).where(*which).values(**ended))


def _count_again(connection: Connection, execution_id: str, stages: list[int], live: list[r.StepRow]) -> None:
    lanes: dict[int, set[int]] = {}
    for step in live:
        lanes.setdefault(step.stage, set()).add(step.lane)
    for stage in stages:
        values = {"remaining": len(lanes.get(stage, ())), "control": _progress.control + 1, **NO_WAIT}
        which = (_progress.execution_id == execution_id, _progress.stage == stage)
        connection.execute(update(t.progress).where(*which).values(**values))


def execution_row(row: Row[Any]) -> r.ExecutionRow:
    """Read a row of ``executions``."""
    return r.ExecutionRow(
        id=row.id,
        task_id=row.task_id,
        task=row.task,
        revision=row.revision,
        state=ExecutionState(row.state),
        requested_by=row.requested_by,
        reason=row.reason,
        created_at=row.created_at,
        ended_at=row.ended_at,
        warnings=row.warnings,
        cancel_requested=row.cancel_requested,
        kill_requested=row.kill_requested,
        adopted=row.adopted,
        main_state=row.main_state and ExecutionState(row.main_state),
        always_cancelled=row.always_cancelled,
        problem=optional_json(row.problem),
        parameters=json.loads(row.parameters),
        round=row.round,
        resumed=row.resumed,
        paused_at=row.paused_at,
        pause=optional_json(row.pause),
        left_out=frozenset(optional_json(row.left_out) or ()),
    )
