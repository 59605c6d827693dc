"""``execution.*``, the part that only looks: pictures for pages."""

from __future__ import annotations

import builtins
import re
from typing import Any

from plumber_core.engine.clock import moment
from plumber_core.engine.log_reading import read_log
from plumber_core.engine.operations.base import Noun, clean, page_size
from plumber_core.engine.pictures import RESULTS, execution_matrix, output_groups
from plumber_core.engine.pools import look_at_pools
from plumber_core.engine.retention import missing
from plumber_core.engine.rollout_views import Waits
from plumber_core.engine.views import Looks, attempts_by_step, step_view, why_waiting
from plumber_core.engine.waiting import look_at_agents, look_at_holds, queued_one, why_held, why_paused, why_ready
from plumber_core.errors import NotFound
from plumber_core.model.overviews import (
    ExecutionMatrix,
    LogSource,
    OperationRecord,
    OutputGroup,
    OutputGroups,
    StepRecord,
)
from plumber_core.model.plan import Plan, PlanStep
from plumber_core.model.records import ExecutionRow, LogPlace, MatrixRows
from plumber_core.model.secret_refs import STARS
from plumber_core.model.views import StepExecutionView
from plumber_core.protocol.frames import decode_frames

MOST_LAST_LINES = 100
"""Groups whose last line is read: more of them nobody reads."""
MOST_WAITING = 50
"""Hosts of which is looked up why they wait: more sentences nobody reads."""
LAST_BYTES, LAST_LINE = 4096, 200
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class ExecutionLooks(Noun):
    """Implements the reading part of ``control.nouns.Executions``."""

    async def matrix(self, *, execution: str) -> ExecutionMatrix:
        await self.desk.allow("execution:matrix", execution)
        rows = await self.store.matrix(clean("execution", execution, 200))
        if rows is None:
            raise await missing(self.engine, "execution", execution)
        task = rows.execution.task_id
        results = await self.store.recent_results([task], RESULTS) if task else {}
        return execution_matrix(rows, results.get(task or "", []), await self._hosts_waiting(rows))

    async def step(self, *, execution: str, step: int, host: str) -> StepRecord:
        await self.desk.allow("execution:step", execution)
        row, plan = await self._with_step(execution, step)
        agent = _agent_of(plan, clean("host", host, 200))
        rounds, attempts = await self.store.step_rounds(execution, step, agent)
        if not rounds:
            raise NotFound(kind="step execution", name=f"{plan.steps[step].name} {host}", nearest=None)
        tries = attempts_by_step(attempts)
        one, waits = plan.steps[step], await self._waits(execution, plan)
        agents, holds = await look_at_agents(self.engine, rounds), await look_at_holds(self.engine, rounds)
        looks = Looks(await look_at_pools(self.engine, rounds), waits, agents, holds, why_paused(row))
        return StepRecord(
            step=step,
            host=agent,
            definition=_definition(one),
            rounds=_rounds([step_view(row, plan, tries.get(row.id, []), looks) for row in rounds]),
            operations=[
                OperationRecord(at=moment(event.at), kind=event.kind, data=event.data)
                for event in await self.store.operations_on(execution)
            ],
        )

    async def _hosts_waiting(self, rows: MatrixRows) -> dict[str, dict[str, Any]]:
        """Return why hosts, and the execution, wait: of those with a ready step the first ones."""
        execution, open_ = rows.execution, rows.execution.ended_at is None
        steps = await self.store.ready_steps(execution.id, MOST_WAITING) if open_ else []
        agents = await look_at_agents(self.engine, steps)
        holds = await look_at_holds(self.engine, steps, queued_one(execution))
        paused = why_paused(execution)
        told = {execution.id: paused or why_held(holds.get(execution.id, ()))}
        for step in steps:
            told[step.agent_id] = (
                paused or why_held(holds.get(step.id, ())) or why_ready(step, agents, rows.plan.offline)
            )
        return {who: why for who, why in told.items() if why is not None}

    async def groups(self, *, execution: str, step: int) -> OutputGroups:
        await self.desk.allow("execution:groups", execution)
        await self._plan_with(execution, step)
        groups = output_groups(await self.store.step_ends(execution, step))
        told = [await self._with_last_line(group) for group in groups[:MOST_LAST_LINES]]
        return OutputGroups(execution=execution, step=step, groups=[*told, *groups[MOST_LAST_LINES:]])

    async def logs(
        self,
        *,
        execution: str,
        step: int | None = None,
        hosts: builtins.list[str] | None = None,
        limit: int = 200,
    ) -> builtins.list[LogSource]:
        await self.desk.allow("execution:logs", execution)
        plan = await self._plan_with(execution, step)
        rows = await self.store.log_sources(execution, step, hosts, page_size(limit))
        return [
            LogSource(
                attempt=attempt,
                step=index,
                host=agent,
                host_name=plan.hosts.get(agent, agent),
                number=number,
                started_at=moment(started),
                log_end=end,
                log_complete=state in ("complete", "verified"),
            )
            for attempt, index, agent, number, started, end, state in rows
        ]

    async def _waits(self, execution: str, plan: Plan) -> Waits:
        if not (plan.has_rollouts or plan.parts):
            return {}
        return why_waiting(plan, *await self.store.stages(execution))

    async def _load(self, execution: str) -> tuple[ExecutionRow, Plan]:
        found = await self.store.load(clean("execution", execution, 200))
        if found is None:
            raise await missing(self.engine, "execution", execution)
        return found[:2]

    async def _plan_with(self, execution: str, step: int | None) -> Plan:
        return (await self._with_step(execution, step))[1]

    async def _with_step(self, execution: str, step: int | None) -> tuple[ExecutionRow, Plan]:
        row, plan = await self._load(execution)
        if step is not None and not 0 <= step < len(plan.steps):
            raise NotFound(kind="step", name=str(step), nearest=None)
        return row, plan

    async def _with_last_line(self, group: OutputGroup) -> OutputGroup:
        if group.attempt is None or not group.bytes:
            return group
        piece = await read_log(self.engine, group.attempt, LogPlace(tail=LAST_BYTES), LAST_BYTES)
        text = b"".join(frame.data for frame in decode_frames(piece.data)).decode(errors="replace")
        lines = [line for line in _CONTROL.sub("", text).splitlines() if line.strip()]
        return group.model_copy(update={"last_line": lines[-1].strip()[:LAST_LINE] if lines else ""})


def _rounds(views: builtins.list[StepExecutionView]) -> builtins.list[StepExecutionView]:
    """Mark all but the newest, which comes first."""
    return [view.model_copy(update={"replaced": number > 0}) for number, view in enumerate(views)]


def _agent_of(plan: Plan, host: str) -> str:
    """Return the agent that an id or a name means in this execution."""
    return next((agent for agent, name in plan.hosts.items() if host in (agent, name)), host)


def _definition(step: PlanStep) -> dict[str, Any]:
    """Return a step as written; of its secrets only that there are some."""
    env = step.env | dict.fromkeys(step.secrets, STARS)
    return {"name": step.name, "uses": step.uses, "with": step.params, "path": step.path, "env": env}
