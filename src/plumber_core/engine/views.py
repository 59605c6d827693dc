"""Rows as the API shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from plumber_core.engine.clock import moment
from plumber_core.engine.part_views import turns_of
from plumber_core.engine.presence import presence
from plumber_core.engine.rollout_views import StageCounts, Waits, count_stages, rollouts_of, waits_of
from plumber_core.engine.waiting import Agents, Holds, why_held, why_paused, why_ready
from plumber_core.model import records as r
from plumber_core.model.forgotten import StrayRow
from plumber_core.model.plan import Plan
from plumber_core.model.restarts import return_within
from plumber_core.model.states import WAITING_STEP_STATES, Presence, StepState
from plumber_core.model.views import (
    AgentView,
    AttemptView,
    ExecutionDetail,
    ExecutionSummary,
    RevisionInfo,
    StepExecutionView,
    StrayView,
    TokenInfo,
)
from plumber_core.planning.render import summary
from plumber_core.version import __version__


def agent_view(row: r.AgentRow, now: int, heartbeat: float) -> AgentView:
    """Show an agent."""
    seen = presence(row.last_seen_at, now, heartbeat)
    heard = seen is not Presence.OFFLINE
    return AgentView(
        id=row.id,
        name=row.name,
        state=row.state,
        presence=seen,
        labels=row.labels,
        facts=row.facts,
        version=row.version,
        slots=row.slots,
        running=row.running,
        executors=[str(executor.get("kind")) for executor in row.executors],
        created_at=moment(row.created_at),
        last_seen_at=None if row.last_seen_at is None else moment(row.last_seen_at),
        original=row.original,
        outdated=row.version not in ("", __version__) and not row.original,
        load=row.load if heard else None,
        memory=row.memory if heard else None,
        conflict=row.conflict,
        awaited=row.awaited,
        strays=row.strays,
    )


def stray_view(row: StrayRow) -> StrayView:
    """Show an attempt that no execution knows."""
    outcome = row.outcome or {}
    return StrayView(
        attempt=row.id,
        execution=row.execution_id,
        task=row.task,
        step=row.step,
        seen_at=moment(row.seen_at),
        state=outcome.get("state"),
        exit_code=outcome.get("exit_code"),
        signal=outcome.get("signal"),
        error=outcome.get("error"),
    )


def execution_summary(row: r.ExecutionRow) -> ExecutionSummary:
    """Show an execution in a list."""
    return ExecutionSummary(**summary_values(row))


def summary_values(row: r.ExecutionRow) -> dict[str, Any]:
    """Return the fields that every view of an execution has."""
    ended = row.ended_at
    return {
        "id": row.id,
        "task": row.task,
        "task_id": row.task_id,
        "revision": row.revision,
        "state": row.state,
        "requested_by": row.requested_by,
        "reason": row.reason,
        "created_at": moment(row.created_at),
        "ended_at": None if ended is None else moment(ended),
        "duration": None if ended is None else (ended - row.created_at) / 1_000_000,
        "warnings": row.warnings,
        "cancel_requested": row.cancel_requested,
        "main_state": row.main_state,
        "problem": row.problem,
        "round": row.round,
    }


class PoolLook(NamedTuple):
    """How many agents a pool has, and how many of them are online."""

    agents: int
    online: int


Pools = Mapping[str, PoolLook]


class Looks(NamedTuple):
    """What is known beside a step's row of why it waits."""

    pools: Pools
    batches: Waits
    agents: Agents
    holds: Holds
    paused: dict[str, Any] | None = None
    """Why the whole execution is paused."""


def execution_detail(picture: r.Picture, pools: Pools, agents: Agents, holds: Holds) -> ExecutionDetail:
    """Show an execution with everything in it."""
    tries = attempts_by_step(picture.attempts)
    newest = newest_rows(picture.steps)
    counts = Counter(step.state.value for step in newest)
    stages = count_stages(newest) if picture.plan.has_rollouts else {}
    paused = why_paused(picture.execution)
    looks = Looks(pools, why_waiting(picture.plan, picture.progress, stages), agents, holds, paused)
    return ExecutionDetail(
        **summary_values(picture.execution),
        parameters=picture.execution.parameters,
        steps=_step_views(picture, tries, looks),
        counts=dict(counts),
        waiting=paused or why_held(holds.get(picture.execution.id, ())),
        rollouts=rollouts_of(picture.plan, picture.progress, stages),
        event=picture.event,
    )


def newest_rows(steps: Iterable[r.StepRow]) -> list[r.StepRow]:
    """Return of each step and lane the row of the highest round, in the order of the first ones."""
    newest: dict[tuple[int, int], r.StepRow] = {}
    for step in steps:
        known = newest.setdefault((step.step, step.lane), step)
        if known.round < step.round:
            newest[step.step, step.lane] = step
    return list(newest.values())


def _step_views(picture: r.Picture, tries: Mapping[str, list[AttemptView]], looks: Looks) -> list[StepExecutionView]:
    newest = {step.id for step in newest_rows(picture.steps)} if picture.execution.round else None
    views = [step_view(step, picture.plan, tries.get(step.id, []), looks) for step in picture.steps]
    if newest is None:
        return views
    return [view if view.id in newest else view.model_copy(update={"replaced": True}) for view in views]


def why_waiting(plan: Plan, progress: Sequence[r.Progress], stages: StageCounts) -> Waits:
    """Return why stages have not begun."""
    return {**turns_of(plan, progress), **waits_of(plan, progress, stages)}


def attempts_by_step(attempts: Iterable[r.AttemptRow]) -> dict[str, list[AttemptView]]:
    """Show attempts by their step executions, each list in the order given."""
    tries: dict[str, list[AttemptView]] = {}
    for attempt in attempts:
        tries.setdefault(attempt.step_execution_id, []).append(attempt_view(attempt))
    return tries


def step_view(row: r.StepRow, plan: Plan, attempts: list[AttemptView], looks: Looks) -> StepExecutionView:
    """Show one step on one host: as rendered once it was set going, as written before."""
    step, spec = plan.steps[row.step], row.spec or {}
    return StepExecutionView(
        id=row.id,
        index=row.step,
        step=step.name,
        host=row.agent_id,
        host_name=plan.hosts.get(row.agent_id, row.agent_id),
        round=row.round,
        by_hand=row.by_hand,
        state=row.state,
        always=step.always,
        uses=step.uses,
        command=summary(step),
        path=spec.get("path", step.path),
        env=spec.get("env", {}),
        started_at=None if row.started_at is None else moment(row.started_at),
        ended_at=None if row.ended_at is None else moment(row.ended_at),
        waiting=waiting_for(row, plan, looks),
        cause=row.cause,
        attempts=attempts,
    )


def waiting_for(row: r.StepRow, plan: Plan, looks: Looks) -> dict[str, Any] | None:
    """Return for what a step waits, as a code with arguments; times are ISO 8601."""
    if looks.paused is not None and row.state in WAITING_STEP_STATES:
        return looks.paused
    if row.state is StepState.BLOCKED:
        return {"code": "always_turn"} if plan.steps[row.step].always else looks.batches.get(row.stage)
    if row.state is StepState.READY and (pool := looks.pools.get(row.pool or "")) is not None:
        return {"code": "pool_busy" if pool.online else "pool_offline", "agents": pool.agents, "online": pool.online}
    if row.state is StepState.READY:
        return why_held(looks.holds.get(row.id, ())) or why_ready(row, looks.agents, plan.offline)
    if row.state is StepState.RETRY_WAIT and row.ready_at is not None:
        retry = plan.steps[row.step].retry
        most = retry.attempts if retry else row.retries + 1
        return {
            "code": "retry",
            "until": moment(row.ready_at).isoformat(),
            "attempt": row.retries + 1,
            "attempts": most,
        }
    if row.state in (StepState.RUNNING, StepState.UNREACHABLE) and (restart := _restart(row, plan)) is not None:
        return restart
    if row.state is StepState.UNREACHABLE:
        return {"code": "cancel_unheard" if row.cancel_requested else "agent_silent", "since": _since(row)}
    return None


def _restart(row: r.StepRow, plan: Plan) -> dict[str, Any] | None:
    """Return since when a host restarts, and until when it has to be back."""
    within = return_within(plan.steps[row.step].uses, (row.spec or {}).get("params", {}))
    if within is None or row.started_at is None or row.cancel_requested:
        return None
    since = moment(row.started_at)
    return {
        "code": "host_restarts",
        "since": since.isoformat(),
        "until": (since + timedelta(seconds=within)).isoformat(),
    }


def _since(row: r.StepRow) -> str | None:
    return None if row.silent_since is None else moment(row.silent_since).isoformat()


def attempt_view(row: r.AttemptRow) -> AttemptView:
    """Show one try."""
    return AttemptView(
        id=row.id,
        number=row.number,
        state=row.state,
        started_at=moment(row.started_at),
        ended_at=None if row.ended_at is None else moment(row.ended_at),
        exit_code=row.exit_code,
        signal=row.signal,
        error=row.error,
        detail=row.detail,
        duration=row.duration,
        orphans=(row.outcome or {}).get("orphans", 0),
        oom=(row.outcome or {}).get("oom", False),
        log_end=row.log_end,
        log_complete=row.log_state in ("complete", "verified"),
        outputs=row.outputs,
        late=row.late,
    )


def revision_info(row: r.RevisionRow) -> RevisionInfo:
    """Show one save of a task."""
    return RevisionInfo(
        number=row.number, author=row.author, created_at=moment(row.created_at), note=row.note, digest=row.digest
    )


def token_info(row: r.CredentialRow) -> TokenInfo:
    """Show an API token without its secret."""
    return TokenInfo(
        id=row.id,
        name=row.name,
        created_at=moment(row.created_at),
        expires_at=None if row.expires_at is None else moment(row.expires_at),
        last_used_at=None if row.last_used_at is None else moment(row.last_used_at),
    )
