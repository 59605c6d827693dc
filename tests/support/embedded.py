"""Fixtures: the control plane in this process, on both databases, without a local agent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine.reap import do_what_is_due
from plumber_core.model.task import Step, Task
from plumber_core.model.views import ExecutionDetail, StepExecutionView


@pytest.fixture
async def plumber(database_url: str) -> AsyncIterator[Plumber]:
    """An open control plane on an empty database."""
    async with Plumber(database_url, local_agent=False) as opened:
        yield opened


async def start(plumber: Plumber, *steps: Step, on: Any = "all", always: Any = (), **values: Any) -> str:
    """Start an unsaved task and return the execution's id."""
    task = Task(name="test", on=on, steps=list(steps), always=list(always))

    begun = await plumber.executions.start(source=json.dumps(task.definition()), format="json", **values)
    return begun.id


async def show(plumber: Plumber, execution: str) -> ExecutionDetail:
    """Return an execution."""
    return await plumber.executions.show(execution=execution)


async def states(plumber: Plumber, execution: str) -> list[str]:
    """Return the states of all step executions, in order."""
    return [step.state.value for step in (await show(plumber, execution)).steps]


async def only_step(plumber: Plumber, execution: str) -> StepExecutionView:
    """Return the one step execution of an execution."""
    [step] = (await show(plumber, execution)).steps
    return step


async def due(plumber: Plumber) -> None:
    """Do what a leader does at its next sweep."""
    assert plumber._engine.term is not None
    await do_what_is_due(plumber._engine, plumber._engine.term)
