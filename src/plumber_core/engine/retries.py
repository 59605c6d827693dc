"""Steps that wait for their next attempt become ready when their time has come."""

from __future__ import annotations

from collections.abc import Sequence

from plumber_core.engine.alarms import set_alarm
from plumber_core.engine.core import Engine
from plumber_core.engine.pools import tell_members
from plumber_core.engine.starts import tell_waiting
from plumber_core.model.records import StepRow


async def wake_retries(engine: Engine) -> None:
    """Make every step ready whose delay is over. Any replica may do it, and twice."""
    await tell_woken(engine, await engine.store.wake_retries())


async def tell_woken(engine: Engine, woken: Sequence[StepRow]) -> None:
    """Have steps claimed that are ready again."""
    for agent in {step.agent_id for step in woken if step.pool is None}:
        tell_waiting(engine, agent)
    await tell_members(engine, woken)
    for execution in {step.execution_id for step in woken}:
        engine.wakeups.changed(execution)


def ring(engine: Engine, delay: float) -> None:
    """Look after a delay, in seconds."""
    set_alarm(engine, engine.alarms, delay, wake_retries, "retry")
