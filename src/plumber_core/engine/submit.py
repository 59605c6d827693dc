"""Start an execution: plan, bind the first stage, one guarded write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plumber_core.engine.absence import look_soon
from plumber_core.engine.core import Engine
from plumber_core.engine.source import Source
from plumber_core.engine.starts import Prepared, prepare
from plumber_core.engine.turns import take_turns_soon
from plumber_core.errors import Conflict, InvalidRequest, Unauthenticated, Unavailable
from plumber_core.ids import new_id, pool_id
from plumber_core.model.records import NewExecution
from plumber_core.planning.batch_events import first
from plumber_core.planning.expand import expand
from plumber_core.planning.graph import first_pairs, first_stages, is_asked
from plumber_core.planning.holds import wanted_by_execution
from plumber_core.planning.parameters import bind
from plumber_core.reasons import because

TRIES = 5


@dataclass(frozen=True, slots=True)
class Request:
    """Who runs it, with which parameters. ``credential`` (its hash) is checked again inside the write."""

    requested_by: str
    credential: str | None = None
    parameters: Mapping[str, Any] | None = None
    reason: str = ""
    request_id: str | None = None


async def submit(engine: Engine, source: Callable[[bool], Awaitable[Source]], request: Request) -> tuple[str, Source]:
    """Start an execution and return its id and what was run.

    Args:
        engine: the engine.
        source: returns what to run; called with True to read it afresh.
        request: who, and with which parameters.

    Raises: InvalidRequest (parameters), NobodyMatches, TooLarge, NotFound, Conflict, Unavailable.
    """
    for attempt in range(TRIES):
        chosen = await source(attempt > 0)
        if attempt:
            await engine.fleet.refresh()
        try:
            execution = await _try(engine, chosen, request)
        except InvalidRequest:
            if attempt:
                raise
            # Another server may have changed the task or the fleet since they were read.
            continue
        if execution is None and request.request_id:
            execution = await engine.store.find_request(request.request_id)
        if execution is not None:
            return execution, chosen
    if request.credential is not None and await engine.store.find_credential(request.credential) is None:
        raise Unauthenticated
    raise Conflict(reason=because("fleet_changes"))


async def _try(engine: Engine, source: Source, request: Request) -> str | None:
    epoch, fleet = engine.epoch, await engine.fleet.fresh_enough()
    values = bind(source.task.params, request.parameters or {})
    plan = expand(source.task, values, fleet.agents, revision=source.revision)
    execution = new_id()
    wants = wanted_by_execution(plan) if plan.has_to_wait else ()
    begins = [stage for stage in first_stages(plan) if not is_asked(plan, stage)]
    prepared: Prepared = await prepare(engine, plan, execution, () if wants else first_pairs(plan))
    asked = tuple(stage for stage in first_stages(plan) if stage not in begins)
    waiting = tuple(part.first for part in plan.parts if part.stages and part.first not in begins)
    new = NewExecution(
        id=execution,
        task_id=source.task_id,
        task=source.task.name,
        revision=source.revision,
        plan=plan,
        requested_by=request.requested_by,
        credential=request.credential,
        fleet_version=fleet.version,
        epoch=epoch,
        starts=tuple(prepared.starts),
        current_revision=source.current,
        reason=request.reason,
        request_id=request.request_id,
        told=() if wants else first(plan, begins),
        wants=wants,
        waiting=waiting,
        due=asked,
    )
    try:
        for agents in {stage.pool for stage in plan.stages if stage.pool}:
            await engine.store.save_pool(pool_id(agents), agents)
        written = await engine.store.submit(new)
    except Unavailable:
        written = await _was_written(engine, execution, prepared)
    except BaseException:
        prepared.suspect()
        prepared.release()
        raise
    if not written:
        prepared.release()
        return None
    if plan.stages:
        engine.executions.started(execution, plan, waiting)
    prepared.commit(engine)
    engine.ask(wanted.name for wanted in wants)
    look_soon(engine, plan, prepared)
    if asked:
        await take_turns_soon(engine, execution)
    engine.counts["plumber_executions_started_total"] += 1
    engine.wakeups.changed(execution)
    # The agents first: whoever asked has an answer either way.
    await asyncio.sleep(0)
    return execution


async def _was_written(engine: Engine, execution: str, prepared: Prepared) -> bool:
    """Look whether a write was committed whose answer was lost.

    Raises: Unavailable (it was not, or the database still does not answer).
    """
    prepared.suspect()
    try:
        if await engine.store.load(execution) is not None:
            engine.counts["plumber_commits_found_total"] += 1
            return True
    except BaseException:
        prepared.release()
        raise
    prepared.release()
    raise Unavailable(reason=because("database_away"))
