"""Pictures of many rows as the API shows them: pure functions from rows."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plumber_core.engine.clock import moment
from plumber_core.engine.rollout_views import rollouts_of
from plumber_core.engine.views import summary_values
from plumber_core.model import records as r
from plumber_core.model.overviews import ExecutionMatrix, MatrixHost, MatrixStep, OutputGroup
from plumber_core.model.plan import Plan
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.views import RecentExecution, TaskSummary
from plumber_core.planning.render import summary

RESULTS = 20
"""How many of a task's last results are shown, and its usual duration is taken from."""
Result = tuple[str, str, int, int | None]
_NAMES = list(StepState)
_INDEX = {state.value: index for index, state in enumerate(_NAMES)}
_BAD_FIRST = {StepState.FAILED: 0, StepState.TIMED_OUT: 0, StepState.LOST: 0, StepState.SUCCEEDED: 2}


def usual_duration(results: Iterable[Result]) -> float | None:
    """Return the median duration of the successes, in seconds."""
    lengths = [(ended - created) / 1e6 for _, state, created, ended in results if state == "succeeded" and ended]
    return statistics.median(lengths) if lengths else None


def targets_of(definition: dict[str, Any], most: int = 3) -> str:
    """Return the first different targets that a task names, as written."""
    steps = [inner for step in definition.get("steps", []) for inner in (step, *step.get("steps", []))]
    named = [place.get("on") for place in (definition, *steps)]
    texts = [on if isinstance(on, str) else ", ".join(on) for on in named if on]
    return ", ".join(list(dict.fromkeys(texts))[:most])


def task_summary(row: dict[str, Any], results: Sequence[Result], targets: str) -> TaskSummary:
    """Show a task in a list."""
    recent = [
        RecentExecution(
            id=id,
            state=ExecutionState(state),
            created_at=moment(created),
            duration=None if ended is None else (ended - created) / 1e6,
        )
        for id, state, created, ended in reversed(results)
    ]
    values = {**row, "updated_at": moment(row["updated_at"])}
    return TaskSummary(**values, recent=recent, usual_duration=usual_duration(results), targets=targets)


def execution_matrix(
    rows: r.MatrixRows, results: Sequence[Result], waiting: Mapping[str, dict[str, Any]]
) -> ExecutionMatrix:
    """Show an execution as hosts x steps; ``waiting`` tells why it, or a host by its id, waits."""
    # Who has claimed a pool's step stands in the place of what stood for nobody.
    there = dict.fromkeys(cell[1] for cell in rows.cells)
    planned = (host for stage in rows.plan.stages for host in stage.hosts if not stage.pool or host in there)
    hosts = list(dict.fromkeys(planned) | there)
    pools = {host: len(stage.pool) for stage in rows.plan.stages if stage.pool for host in stage.hosts}
    columns = _Columns(rows, hosts)
    for cell in rows.cells:
        columns.fill(cell)
    counts = [Counter(column) for column in columns.states]
    return ExecutionMatrix(
        **summary_values(rows.execution),
        parameters=rows.execution.parameters,
        usual_duration=usual_duration(results),
        counts=_named(sum(counts, Counter())),
        state_names=_NAMES,
        steps=[_matrix_step(rows.plan, index, _named(own)) for index, own in enumerate(counts)],
        hosts=[
            MatrixHost(
                id=host,
                name=rows.plan.hosts.get(host, host),
                awaited=host in rows.awaited,
                pool=pools.get(host, 0),
            )
            for host in hosts
        ],
        states=columns.states,
        started=columns.started,
        ended=columns.ended,
        exit_codes=columns.exit_codes,
        rollouts=rollouts_of(rows.plan, rows.progress, rows.stages),
        waiting=waiting.get(rows.execution.id),
        waits={host: why for host, why in waiting.items() if host != rows.execution.id},
        event=rows.event,
    )


class _Columns:
    """Cells by step and host; a later round of a cell replaces the earlier one."""

    def __init__(self, rows: r.MatrixRows, hosts: list[str]) -> None:
        self._since = rows.execution.created_at
        self._place = {host: index for index, host in enumerate(hosts)}
        steps = range(len(rows.plan.steps))
        self.states = [[-1] * len(hosts) for _ in steps]
        self.started: list[list[float | None]] = [[None] * len(hosts) for _ in steps]
        self.ended: list[list[float | None]] = [[None] * len(hosts) for _ in steps]
        self.exit_codes: list[list[int | None]] = [[None] * len(hosts) for _ in steps]

    def fill(self, cell: tuple[Any, ...]) -> None:
        step, agent, state, started, ended, exit_code = cell
        host = self._place[agent]
        self.states[step][host] = _INDEX[state]
        self.started[step][host] = self._seconds(started)
        self.ended[step][host] = self._seconds(ended)
        self.exit_codes[step][host] = exit_code

    def _seconds(self, at: int | None) -> float | None:
        return None if at is None else round((at - self._since) / 1e6, 3)


def _named(counter: Counter[int]) -> dict[str, int]:
    return {_NAMES[index].value: count for index, count in sorted(counter.items()) if index >= 0}


def _matrix_step(plan: Plan, index: int, counts: dict[str, int]) -> MatrixStep:
    step = plan.steps[index]
    return MatrixStep(
        index=index,
        name=step.name,
        uses=step.uses,
        command=summary(step),
        path=step.path,
        always=step.always,
        when=list(step.when),
        needs=None if step.needs is None else list(step.needs),
        counts=counts,
    )


def output_groups(ends: Iterable[tuple[r.StepRow, r.AttemptRow | None]]) -> list[OutputGroup]:
    """Group hosts by equal outcome and output: failures before successes, then the fewest hosts first."""
    newest = {step.agent_id: (step, attempt) for step, attempt in ends}
    groups: dict[tuple[Any, ...], OutputGroup] = {}
    for step, attempt in newest.values():
        key = _key(step, attempt)
        if key in groups:
            groups[key].hosts.append(step.agent_id)
        else:
            groups[key] = _group(step, attempt)
    return sorted(groups.values(), key=lambda group: (_BAD_FIRST.get(group.state, 1), len(group.hosts)))


def _key(step: r.StepRow, attempt: r.AttemptRow | None) -> tuple[Any, ...]:
    if attempt is None:
        return (step.state,)
    return (step.state, attempt.exit_code, attempt.error, _digest(attempt))


def _digest(attempt: r.AttemptRow) -> str:
    outcome = attempt.outcome or {}
    return "-".join(filter(None, (outcome.get("sha256_stdout"), outcome.get("sha256_stderr"))))


def _group(step: r.StepRow, attempt: r.AttemptRow | None) -> OutputGroup:
    if attempt is None:
        return OutputGroup(state=step.state, hosts=[step.agent_id])
    return OutputGroup(
        state=step.state,
        exit_code=attempt.exit_code,
        error=attempt.error,
        digest=_digest(attempt),
        bytes=attempt.log_end,
        attempt=attempt.id,
        hosts=[step.agent_id],
    )
