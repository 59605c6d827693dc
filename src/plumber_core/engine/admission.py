"""Locks and queues: whoever has got all that he asks for goes on, here or at another server."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

from plumber_core.engine.absence import look_soon
from plumber_core.engine.cancel import cancel_because
from plumber_core.engine.core import Engine, said
from plumber_core.engine.retries import tell_woken
from plumber_core.engine.starts import prepare
from plumber_core.engine.turns import take_turns_soon
from plumber_core.errors import InvalidRequest, NotFound, PlumberError, QueueTimeout, Unavailable
from plumber_core.model.holds import Beginning
from plumber_core.model.records import Term
from plumber_core.planning.batch_events import first
from plumber_core.planning.graph import first_pairs, first_stages

TRIES = 8


async def admissions(engine: Engine) -> None:
    """Look, until cancelled, whenever something was asked for or given back. What is lost is found by the sweep."""
    while True:
        await engine.asking.wait()
        engine.asking.clear()
        names, engine.asked = engine.asked, set()
        try:
            await admit(engine, names)
        except PlumberError as error:
            said("an admission", error)


async def admit(engine: Engine, names: Collection[str]) -> None:
    """Decide who may hold these, and see to what follows. Any replica may do it, and twice.

    Raises: Unavailable.
    """
    admitted = await engine.store.admit(names)
    await tell_woken(engine, admitted.steps)
    for execution in admitted.executions:
        with contextlib.suppress(NotFound):
            await _begin(engine, execution)
    for execution, problem in admitted.ending.items():
        await cancel_because(engine, execution, problem)


async def _begin(engine: Engine, execution: str) -> None:
    """Begin a queued execution that has got everything."""
    for _ in range(TRIES):
        memory = await engine.executions.get(execution, fresh=True)
        plan = memory.plan
        try:
            prepared = await prepare(engine, plan, execution, first_pairs(plan))
        except InvalidRequest as error:
            # What could be rendered when it was queued cannot be any more: an agent was deleted.
            await cancel_because(engine, execution, {"code": error.code, "arguments": error.arguments})
            return
        beginning = Beginning(execution, tuple(prepared.starts), first(plan, first_stages(plan)), plan.timeout)
        try:
            written = await engine.store.begin(beginning)
        except BaseException:
            # Perhaps it was written: the agents are asked, and the next look tells.
            prepared.suspect()
            prepared.release()
            raise
        if written:
            prepared.commit(engine)
            look_soon(engine, plan, prepared)
            engine.wakeups.changed(execution)
            if plan.parts:
                await take_turns_soon(engine, execution)
            return
        prepared.release()
        if not prepared.bound:
            return
        # Perhaps another server was told that one of these agents may get no more steps.
        await engine.fleet.refresh()


async def give_up_queueing(engine: Engine, executions: Collection[str], term: Term) -> None:
    """Cancel executions that have been queued for longer than their ``queue_timeout``."""
    for execution in executions:
        with contextlib.suppress(NotFound, Unavailable):
            plan = (await engine.executions.get(execution)).plan
            problem = {"code": QueueTimeout.code, "arguments": {"timeout": plan.queue_timeout}}
            await cancel_because(engine, execution, problem, term)
