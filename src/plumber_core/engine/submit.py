"""Start an execution: plan, bind the first stage, one guarded write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plumber_core.engine.core import Engine
from plumber_core.engine.source import Source
from plumber_core.engine.starts import Prepared, prepare
from plumber_core.errors import Conflict, InvalidRequest, Unauthenticated
from plumber_core.ids import new_id
from plumber_core.model.records import NewExecution
from plumber_core.planning.advance import first_steps
from plumber_core.planning.expand import expand
from plumber_core.planning.parameters import bind

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
    raise Conflict(reason="the fleet keeps changing; try again")


async def _try(engine: Engine, source: Source, request: Request) -> str | None:
    fleet = await engine.fleet.fresh_enough()
    values = bind(source.task.params, request.parameters or {})
    plan = expand(source.task, values, fleet.agents, revision=source.revision)
    execution = new_id()
    prepared: Prepared = await prepare(engine, plan, execution, first_steps(plan.stages[0]))
    new = NewExecution(
        id=execution,
        task_id=source.task_id,
        task=source.task.name,
        revision=source.revision,
        plan=plan,
        requested_by=request.requested_by,
        credential=request.credential,
        fleet_version=fleet.version,
        starts=tuple(prepared.starts),
        current_revision=source.current,
        reason=request.reason,
        request_id=request.request_id,
    )
    try:
        written = await engine.store.submit(new)
    except BaseException:
        prepared.release()
        raise
    if not written:
        prepared.release()
        return None
    engine.executions.started(execution, plan)
    prepared.commit(engine)
    engine.counts["plumber_executions_started_total"] += 1
    engine.wakeups.changed(execution)
    # The agents first: whoever asked has an answer either way.
    await asyncio.sleep(0)
    return execution
