"""Cancel hosts, or a step on them: the rest of the execution goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plumber_core.engine.cancel import tell
from plumber_core.engine.core import Engine
from plumber_core.engine.going_on import controls_of, settlement_of, stand
from plumber_core.engine.resume import host_of, let_begin, step_of
from plumber_core.engine.retention import missing
from plumber_core.engine.turns import take_turns_soon
from plumber_core.errors import Conflict, Unavailable
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.cancelling import SomeCancelled, Touched
from plumber_core.model.records import Start, StepRow, Told
from plumber_core.model.rounds import Whole
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.cancelling import of_hosts, of_step
from plumber_core.planning.pausing import as_seen, warnings_of_batches
from plumber_core.reasons import because

TRIES = 8


@dataclass(frozen=True, slots=True)
class Some:
    """What of an execution is cancelled, by whom and why: hosts by their names or ids, or a step, there or anywhere."""

    hosts: tuple[str, ...] | None
    step: str | None
    by: str
    reason: str
    kill: bool = False


async def cancel_some(engine: Engine, execution: str, some: Some) -> None:
    """Cancel a part of an execution.

    A host that is cancelled is out of it: nothing more is done there, and that is nobody's failure. A step that is
    cancelled has failed where it was set going.

    Raises: NotFound, Gone, Conflict (nothing of it can be cancelled, it does not run or is being cancelled),
        Unavailable.
    """
    for _ in range(TRIES):
        whole = await engine.store.whole(execution)
        if whole is None:
            raise await missing(engine, "execution", execution)
        state = whole.execution.state
        if state not in (ExecutionState.RUNNING, ExecutionState.PAUSED) or whole.execution.cancel_requested:
            told = "cancelling" if whole.execution.cancel_requested else state.value
            raise Conflict(reason=because("cancel_some_state", state=told))
        memory = await engine.executions.get(execution, fresh=True)
        if controls_of(memory) != whole.controls:
            continue
        hosts = None if some.hosts is None else tuple(dict.fromkeys(host_of(whole.plan, one) for one in some.hosts))
        touched = _touched(whole, hosts, some.step)
        change, starts = await _change(engine, whole, some, hosts, touched)
        live = await engine.store.cancel_some(change)
        if live is None:
            engine.counts["plumber_guard_retries_total"] += 1
            continue
        await _after(engine, whole, starts, live, kill=some.kill)
        return
    raise Unavailable(reason=because("busy"))


def _touched(whole: Whole, hosts: tuple[str, ...] | None, step: str | None) -> Touched:
    if step is not None:
        touched = of_step(whole.cells, step_of(whole.plan, step), hosts)
    else:
        touched = of_hosts(whole.cells, hosts or ())
    if not touched.all:
        raise Conflict(reason=because("cancel_some_nothing"))
    return touched


async def _change(
    engine: Engine, whole: Whole, some: Some, hosts: tuple[str, ...] | None, touched: Touched
) -> tuple[SomeCancelled, Sequence[Start]]:
    memory = await engine.executions.get(whole.execution.id)
    leaves = hosts if some.step is None and hosts is not None else ()
    states = as_seen(whole.cells, whole.execution.resumed)
    states |= dict.fromkeys(touched.waiting, StepState.SUCCEEDED if leaves else StepState.CANCELLED)
    change = SomeCancelled(
        whole.execution.id,
        whole.controls,
        whole.cells,
        touched,
        whole.execution.round + 1,
        some.kill,
        leaves,
        warnings=len({whole.cells[place].host for place in touched.all} & set(leaves)),
        told=(_told(whole, some, touched),),
    )
    if memory.paused:
        return change, ()
    found, passed, starts = await stand(engine, memory, states)
    settlement = settlement_of(memory, whole, found, passed, starts)
    warnings = change.warnings + warnings_of_batches(whole.plan, whole.remaining, found)
    return replace(change, settlement=settlement, warnings=warnings), starts


def _told(whole: Whole, some: Some, touched: Touched) -> Told:
    data = {"by": some.by, "reason": some.reason, "round": whole.execution.round + 1, "running": len(touched.live)}
    if some.hosts is not None:
        data["hosts"] = list(some.hosts[:100])
    if some.step is None:
        return "execution.host_cancelled", data
    return "execution.step_cancelled", {**data, "name": some.step}


async def _after(engine: Engine, whole: Whole, starts: Sequence[Start], live: Sequence[StepRow], *, kill: bool) -> None:
    execution, plan = whole.execution.id, whole.plan
    let_begin(engine, execution, plan, starts)
    if plan.holds:
        engine.ask({EVERYTHING})
    for step in live:
        # Who is asked a second time does not listen.
        again = whole.cells[step.step, step.lane].state is StepState.CANCELLING
        await tell(engine, step, kill=kill or again)
    if plan.parts:
        await take_turns_soon(engine, execution)
    engine.wakeups.changed(execution)
