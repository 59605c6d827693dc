"""The sweep: one per server process stands behind every push, and does what time brings about."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any

from plumber_core.engine.absence import miss_absent
from plumber_core.engine.admission import admit, give_up_queueing
from plumber_core.engine.adoption import settle
from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.batches import open_all
from plumber_core.engine.cancel import cancel_out_of_time
from plumber_core.engine.claim import deliver
from plumber_core.engine.clock import monotonic
from plumber_core.engine.core import Engine, said
from plumber_core.engine.deliveries import give_up_old
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.pools import given_back
from plumber_core.engine.retention import delete_old
from plumber_core.engine.retries import tell_woken
from plumber_core.errors import PlumberError
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.records import Silent, StepRow, Term
from plumber_core.model.restarts import return_within
from plumber_core.model.states import Actor, StepState

log = logging.getLogger(__name__)
SLOW_EVERY = 3
CREDENTIALS_EVERY = 720
RETENTION_EVERY = 60


async def sweeps(engine: Engine) -> None:
    """Sweep every few seconds until cancelled. A database that is away, or a defect, costs a round and nothing else."""
    number = 0
    while True:
        try:
            await sweep(engine, number)
        except Exception as error:
            said("a sweep", error)
        number += 1
        await asyncio.sleep(engine.patience.sweep_interval)


async def sweep(engine: Engine, number: int = 0) -> None:
    """Store presence, learn what other replicas were told, hand out what a lost wake-up left behind, and, while this
    replica leads, do what is due."""
    waiting = await _say_alive(engine)
    if engine.wakeups.others:
        asked = monotonic()
        engine.connections.follow(await engine.store.standings(), asked)
    doubtful = {connection.agent_id for connection in engine.connections.all() if connection.doubtful}
    for agent in doubtful.union(waiting):
        if engine.connections.get(agent) is not None:
            await deliver(engine, agent, "sweep")
    if engine.term is not None:
        await do_what_is_due(engine, engine.term)
        if number % SLOW_EVERY == 0:
            await notice_silence(engine)
        if number % CREDENTIALS_EVERY == 0:
            await engine.store.sweep_credentials()
        if number % RETENTION_EVERY == 0 and not engine.deleting:
            engine.deleting = True
            engine.spawn(_delete_old(engine, engine.term), "retention")
    engine.counts["plumber_sweeps_total"] += 1


async def _delete_old(engine: Engine, term: Term) -> None:
    try:
        with contextlib.suppress(PlumberError):
            await delete_old(engine, term)
            await engine.store.delete_pools()
        await give_up_old(engine)
    finally:
        engine.deleting = False


async def _say_alive(engine: Engine) -> list[str]:
    """Store presence; return the agents that something waits for."""
    beats, before = engine.connections.beats(), engine.steady()
    heard, interval = engine.connections.heard(), engine.patience.sweep_interval
    loads = engine.connections.loads()
    told = {agent: (load.cpu, load.memory) for agent, load in loads.items()}
    seen = await engine.store.presence(engine.server_id, heard, interval, told)
    engine.connections.stored(loads)
    jump = engine.clock.jump(before, seen.now / 1_000_000, engine.steady())
    for connection, beat in beats:
        connection.record(beat)
    engine.wakeups.others = seen.replicas > 1
    engine.term = seen.term
    if jump:
        log.warning("the database's clock has jumped by %.1f s: nothing expires for now", jump)
        engine.counts["plumber_clock_jumps_total"] += 1
        if seen.term is not None:
            await engine.store.clock_jumped(seen.term, jump)
    return seen.waiting


async def do_what_is_due(engine: Engine, term: Term) -> None:
    """Wake retries, expire what waited for too long, cancel executions whose time is over, settle adopted ones, begin
    batches whose pauses are over."""
    due = await engine.store.due(term, engine.clock.reading(engine.steady()))
    if due is None:
        return
    await tell_woken(engine, due.woken)
    for step in due.expired:
        ending = _given_up(step, StepState.EXPIRED, {"state": "expired", "error": "queue_timeout"}, term)
        unclaimed = replace(ending.ref, attempt="")
        await finish(engine, replace(ending, ref=unclaimed, cause={"code": "queue_timeout"}))
    await miss_absent(engine)
    await give_up_queueing(engine, due.tired, term)
    if due.queues:
        await admit(engine, {EVERYTHING})
    for execution in due.out_of_time:
        await cancel_out_of_time(engine, execution, term)
    for execution in due.adopted:
        await settle(engine, execution)
    await open_all(engine, due.opening)


async def notice_silence(engine: Engine) -> None:
    """Call silent steps unreachable, and those silent for too long lost: their outcome is unknown."""
    term = engine.term
    if term is None:
        return
    at = engine.clock.reading(engine.steady())
    moved = await engine.store.mark_unreachable(term, engine.patience.lease_at(engine.heartbeat), at)
    for step in moved:
        engine.wakeups.changed(step.execution_id)
    await given_back(engine, [step for step in moved if step.state is StepState.READY])
    for silent in await engine.store.silent(engine.patience.lost_after, at):
        if (error := await _lost_by(engine, silent)) is not None:
            outcome = {"state": "unknown", "error": error}
            await finish(engine, _given_up(silent.step, StepState.LOST, outcome, term))


def _given_up(step: StepRow, state: StepState, outcome: dict[str, Any], term: Term) -> Ending:
    ref = AttemptRef.of_step(step)
    return Ending(ref, step.agent_id, state, Actor.REAPER, outcome, reported=False, term=term)


async def _lost_by(engine: Engine, silent: Silent) -> str | None:
    """Return why a step counts as lost, None while it does not."""
    step = silent.step
    planned = (await engine.executions.get(step.execution_id)).plan.steps[step.step]
    if planned.lost_after == "never":
        return None
    patience = engine.patience.lost_after if planned.lost_after is None else planned.lost_after
    within = return_within(planned.uses, (step.spec or {}).get("params", {}))
    if within is not None and step.state is StepState.UNREACHABLE:
        # Its silence was announced: until its time is over it says nothing, and then it says all.
        late = silent.silence >= within + engine.patience.lease_at(engine.heartbeat)
        return "not_back" if late else None
    if step.state is StepState.UNREACHABLE and silent.silence >= patience:
        return "agent_silent"
    if planned.timeout is not None and silent.age >= planned.timeout + planned.grace + patience:
        # The supervisor should have ended it long ago: whatever became of it, nobody will tell.
        return "no_report"
    return None
