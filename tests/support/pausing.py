"""What tests of paused executions ask for."""

from __future__ import annotations

from sqlalchemy import Connection, update

from plumber_core.app import Plumber
from plumber_core.model.task import Step
from plumber_core.storage import tables as t
from support.rollouts import LATER

ONE, TWO = Step(name="one", run="one"), Step(name="two", run="two")


async def pause(plumber: Plumber, execution: str, reason: str = "") -> None:
    assert (await plumber.executions.pause(execution=execution, reason=reason)).state == "paused"


async def go_on(plumber: Plumber, execution: str) -> str:
    return (await plumber.executions.continue_(execution=execution)).state.value


async def let_time_pass(plumber: Plumber) -> None:
    """Make everything that waits for a time due, as if the database's clock had gone on."""
    step, execution, progress = t.step_executions.c, t.executions.c, t.progress.c
    waiting = step.state.in_(("ready", "retry_wait"))
    times = {"deadline_at": execution.deadline_at - LATER, "paused_at": execution.paused_at - LATER}

    def work(connection: Connection) -> None:
        connection.execute(update(t.step_executions).where(waiting).values(ready_at=step.ready_at - LATER))
        connection.execute(update(t.executions).values(**times))
        connection.execute(update(t.progress).values(opens_at=progress.opens_at - LATER))

    await plumber._store.database.write(work)
