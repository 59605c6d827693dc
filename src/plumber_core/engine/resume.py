"""Resume: an execution that has failed or was cancelled goes on, as a new round of the steps that are left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from plumber_core.closest import closest
from plumber_core.engine.absence import look_soon
from plumber_core.engine.batches import ring
from plumber_core.engine.core import Engine
from plumber_core.engine.retention import missing
from plumber_core.engine.starts import Prepared, render
from plumber_core.engine.turns import take_turns_soon
from plumber_core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from plumber_core.ids import pool_id, step_execution_id
from plumber_core.model.plan import Plan
from plumber_core.model.records import Opening, RevisionRow, Start, Told
from plumber_core.model.resume_views import WhichRevision
from plumber_core.model.rounds import BlockedRow, Laid, NewRow, Place, Renewal, What, Whole, Wish
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.advance import Advance
from plumber_core.planning.batch_events import entered
from plumber_core.planning.catch_up import CaughtUp
from plumber_core.planning.holds import wanted_by_execution
from plumber_core.planning.parameters import bind
from plumber_core.planning.parse import task_from_definition
from plumber_core.planning.renew import renew
from plumber_core.planning.resume_parts import part_states, stands, with_parts
from plumber_core.planning.rounds import lay, warnings
from plumber_core.reasons import because

TRIES = 5
ENDED = frozenset({ExecutionState.FAILED, ExecutionState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to go on. ``hosts`` are names or ids, ``from_step`` is the name of a step or block."""

    what: What = "rest"
    hosts: tuple[str, ...] | None = None
    from_step: str | None = None
    revision: WhichRevision = "old"
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a resume would do: ``newest`` is the task's newest revision, if it is another one than was run."""

    whole: Whole
    plan: Plan
    laid: Laid
    found: CaughtUp
    before: RevisionRow | None = None
    newest: RevisionRow | None = None

    @property
    def round(self) -> int:
        """The number of the new round."""
        return self.whole.execution.round + 1

    def row(self, place: Place) -> BlockedRow:
        """Return the row that a step gets in the new round."""
        execution = self.whole.execution.id
        return BlockedRow(step_execution_id(execution, *place, self.round), self.whole.cells[place].number)


async def look(engine: Engine, execution: str, request: Request) -> Resumption:
    """Return what a resume would do now.

    Raises: NotFound, Gone, Conflict (it has not ended badly, nothing is left, the newest revision's steps are others),
        InvalidRequest.
    """
    whole = await engine.store.whole(execution)
    if whole is None:
        raise await missing(engine, "execution", execution)
    if whole.execution.state not in ENDED:
        raise Conflict(reason=because("resume_state", state=whole.execution.state.value))
    plan, wish = whole.plan, _wish(whole.plan, request)
    await engine.fleet.refresh()
    before, newest = await _revisions(engine, whole)
    if request.revision == "new":
        plan = _renewed(engine, whole, newest)
    laid = lay(plan, whole.cells, wish)
    if plan.parts:
        laid = with_parts(plan, whole.cells, laid, wish)
    _check_hosts(engine, plan, laid)
    return Resumption(whole, plan, laid, stands(plan, whole.cells, laid), before, newest)


async def resume(engine: Engine, execution: str, request: Request) -> Resumption:
    """Have an execution go on, and return what that touches.

    Raises: what ``look`` raises, InvalidRequest (a step that would begin cannot be rendered), Conflict (others hold
        what it has to hold), Unavailable.
    """
    for _ in range(TRIES):
        resumption = await look(engine, execution, request)
        starts = await _starts(engine, resumption)
        waits = waits_of(resumption.plan, resumption.found)
        if await engine.store.renew(_renewal(resumption, request, starts, waits)):
            _go_on(engine, resumption, starts, waits)
            if resumption.plan.parts:
                await take_turns_soon(engine, execution)
            return resumption
    raise Unavailable(reason=because("busy"))


def _wish(plan: Plan, request: Request) -> Wish:
    step = None if request.from_step is None else step_of(plan, request.from_step)
    hosts = None if request.hosts is None else frozenset(host_of(plan, host) for host in request.hosts)
    return Wish(request.what, hosts, step)


def step_of(plan: Plan, name: str) -> int:
    """Return the index of a step, or of a block's first one."""
    names = {step.name: index for index, step in reversed(list(enumerate(plan.steps)))}
    blocks = {stage.batch.block: stage.chain[0] for stage in reversed(plan.stages) if stage.batch is not None}
    return _found("step", name, {**blocks, **names})


def host_of(plan: Plan, host: str) -> str:
    """Return the agent that a name or an id means."""
    return _found("host", host, {name: id for id, name in plan.hosts.items()} | {id: id for id in plan.hosts})


Value = TypeVar("Value")


def _found(kind: str, name: str, known: Mapping[str, Value]) -> Value:
    if name in known:
        return known[name]
    raise NotFound(kind=kind, name=name, nearest=closest(name, known))


async def _revisions(engine: Engine, whole: Whole) -> tuple[RevisionRow | None, RevisionRow | None]:
    """Return the revision that was run and the newest one, None where a task was never saved or is deleted."""
    row = whole.execution
    if row.task_id is None or row.revision is None:
        return None, None
    before = await engine.store.find_revision(row.task_id, row.revision)
    task = await engine.store.find_task(row.task_id)
    return before, None if task is None else await engine.store.find_revision(task.id, task.revision)


def _renewed(engine: Engine, whole: Whole, newest: RevisionRow | None) -> Plan:
    """Return the plan with the newest revision's steps and the same parameters, as far as it has them."""
    row = whole.execution
    if newest is None:
        raise Conflict(reason=because("never_saved", task=row.task))
    task = task_from_definition(newest.definition)
    given = {name: value for name, value in row.parameters.items() if name in task.params}
    values = bind(task.params, given)
    return renew(whole.plan, task, values, engine.fleet.agents, revision=newest.number)


def _check_hosts(engine: Engine, plan: Plan, laid: Laid) -> None:
    """Refuse agents that were deleted since: their steps would wait for ever."""
    for step, lane in sorted(laid.anew):
        stage = plan.stages[plan.stage_of(step, lane)]
        hosts = stage.pool or (stage.host(lane),)
        if not any(host in engine.fleet.rows for host in hosts):
            reason = because("agent_deleted", name=plan.hosts.get(hosts[0], hosts[0]))
            raise InvalidRequest(field="hosts", reason=reason)


async def _starts(engine: Engine, resumption: Resumption) -> list[Start]:
    async def rows(step: int, lanes: Sequence[int]) -> Mapping[int, BlockedRow]:
        return {lane: resumption.row((step, lane)) for lane in lanes}

    pairs = sorted(resumption.found.starts)
    return await render(engine, resumption.plan, resumption.whole.execution.id, pairs, rows)


def waits_of(plan: Plan, found: CaughtUp) -> Opening | None:
    """Return what a stage waits for that has to wait."""
    if found.waits is None:
        return None
    batch = plan.stages[found.waits].batch
    return Opening(found.waits, 0, found.counters[found.waits][0], batch.pause if batch is not None else None)


def _renewal(resumption: Resumption, request: Request, starts: Sequence[Start], waits: Opening | None) -> Renewal:
    whole, plan, laid, found = resumption.whole, resumption.plan, resumption.laid, resumption.found
    return Renewal(
        execution=whole.execution.id,
        states=ENDED,
        controls=whole.controls,
        round=resumption.round,
        rows=tuple(_rows(resumption)),
        counters=tuple(found.counters),
        carried=tuple(found.carried),
        starts=tuple(starts),
        waits=waits,
        warnings=warnings(plan, whole.cells, laid),
        timeout=plan.timeout,
        plan=None if plan is whole.plan else plan,
        told=(_told(resumption, request), *begins(plan, found, waits)),
        wants=wanted_by_execution(plan) if plan.has_to_wait else (),
        parts=part_states(plan, whole.cells, laid),
    )


def _rows(resumption: Resumption) -> Iterable[NewRow]:
    plan, cells = resumption.plan, resumption.whole.cells
    for place in sorted(resumption.laid.anew | resumption.laid.passed):
        (step, lane), row, number = place, resumption.row(place), resumption.whole.cells[place].number
        at = plan.stage_of(step, lane)
        if place in resumption.laid.passed:
            yield NewRow(row.id, at, step, lane, cells[place].host, StepState.SKIPPED, number, "skip")
            continue
        stage = plan.stages[at]
        pool = pool_id(stage.pool) if stage.pool else None
        yield NewRow(row.id, at, step, lane, stage.host(lane), StepState.BLOCKED, number, None, pool)


def _told(resumption: Resumption, request: Request) -> Told:
    """Return who goes on with what."""
    plan, laid, cells = resumption.plan, resumption.laid, resumption.whole.cells
    data = {
        "by": request.by,
        "reason": request.reason,
        "round": resumption.round,
        "what": request.what,
        "revision": plan.revision,
        "steps": len(laid.anew),
        "hosts": len({cells[place].host for place in laid.anew}),
    }
    if request.from_step is not None:
        data |= {"from": request.from_step, "passed": len(laid.passed)}
    if request.hosts is not None:
        data["chosen"] = list(request.hosts[:100])
    return "execution.resumed", data


def begins(plan: Plan, found: CaughtUp, waits: Opening | None) -> tuple[Told, ...]:
    """Return what is told of the stage that begins, or waits to."""
    move = Advance(0, lane_ends=False, starts=tuple(sorted(found.starts)), opening=waits)
    return tuple(entered(plan, move))


def _go_on(engine: Engine, resumption: Resumption, starts: Sequence[Start], waits: Opening | None) -> None:
    engine.counts["plumber_executions_resumed_total"] += 1
    ring(engine, waits)
    let_begin(engine, resumption.whole.execution.id, resumption.plan, starts)


def let_begin(engine: Engine, execution: str, plan: Plan, starts: Sequence[Start]) -> None:
    """Have what is ready since a moment claimed; nobody remembers how the execution stood before."""
    engine.executions.forget(execution)
    pools = sorted(plan.pool_of(start.step) for start in starts if start.agent_id is None)
    waiting = [start.agent_id for start in starts if start.agent_id and not start.wants]
    asked = [wanted.name for start in starts for wanted in start.wants]
    prepared = Prepared(waiting=waiting, pools=pools, asked=asked)
    prepared.commit(engine)
    look_soon(engine, plan, prepared)
    engine.wakeups.changed(execution)
