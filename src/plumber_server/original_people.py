"""The original's methods for people, in its words and its four states."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from plumber_core.control.plane import ControlPlane
from plumber_core.errors import InvalidRequest
from plumber_core.model.states import ExecutionState, Presence, StepState
from plumber_core.model.views import (
    AgentConfig,
    AgentCreated,
    AgentView,
    AttemptView,
    ExecutionSummary,
    StepExecutionView,
    TaskSummary,
)
from plumber_server.frames import output_json
from plumber_server.original_toml import with_header

Complete = Callable[[Any], Any]
MAX_LISTED = 1000
"""Newest executions of a task that one answer lists: the original's call has no pages."""
LOG_AFTER_END = timedelta(seconds=20)
"""How long after a step's end its whole output is waited for: an agent that died in between never sends it."""
LOG_INTERVAL = 0.05

_REPORTED = {"succeeded", "failed", "timed_out", "cancelled"}
_PENDING = {"blocked", "ready", "retry_wait", "queued", "paused", "skipped"}
_RUNNING = {"claimed", "running", "cancelling", "unreachable"}


def status_of(state: StepState | ExecutionState) -> str:
    """Return a state in the original's words."""
    if state.value in _PENDING:
        return "pending"
    if state.value in _RUNNING:
        return "running"
    return "success" if state.value == "succeeded" else "failed"


async def login(plane: ControlPlane, username: str, password: str) -> dict[str, Any]:
    """``plumber.user.login``."""
    session = await plane.sessions.login(username=username, password=password)
    return {"token": session.token, "username": session.user.name, "user_id": session.user.id}


async def create_agent(plane: ControlPlane, name: str, complete: Complete) -> dict[str, Any]:
    """``plumber.agent.create``."""
    created: AgentCreated = complete(await plane.agents.create(name=name))
    agent = created.agent
    return {
        "agent_id": agent.id,
        "name": agent.name,
        "status": _presence(agent),
        "config": _agent_json(created.config),
    }


async def agent_config(plane: ControlPlane, agent_id: str, complete: Complete) -> dict[str, Any]:
    """``plumber.agent.getConfig``: a new token; the old one lives until this one is first used."""
    config = complete(await plane.agents.rotate(agent=agent_id))
    return {"config": _agent_json(config), "filename": "agent.json"}


def _agent_json(config: AgentConfig) -> str:
    return config.model_dump_json(indent=2)


async def list_agents(plane: ControlPlane) -> dict[str, Any]:
    """``plumber.agent.list``."""
    return {"agents": [_agent(agent) async for agent in _all_agents(plane)]}


async def _all_agents(plane: ControlPlane) -> AsyncIterator[AgentView]:
    cursor: str | None = None
    while True:
        page = await plane.agents.list(cursor=cursor)
        for agent in page.items:
            yield agent
        if (cursor := page.next) is None:
            return


def _agent(agent: AgentView) -> dict[str, Any]:
    return {
        "id": agent.id,
        "name": agent.name,
        "hostname": agent.facts.get("hostname", ""),
        "ip": agent.facts.get("ip", ""),
        "status": _presence(agent),
        "last_heartbeat": _time(agent.last_seen_at),
    }


def _presence(agent: AgentView) -> str:
    return "online" if agent.presence == Presence.ONLINE else "offline"


async def update_agent(plane: ControlPlane, agent_id: str, name: str) -> dict[str, Any]:
    """``plumber.agent.update``."""
    await plane.agents.update(agent=agent_id, name=name)
    return {"status": "updated", "message": "agent updated"}


async def delete_agent(plane: ControlPlane, agent_id: str) -> dict[str, Any]:
    """``plumber.agent.delete``."""
    await plane.agents.delete(agent=agent_id)
    return {"status": "deleted", "message": "agent deleted"}


async def create_task(plane: ControlPlane, name: str, description: str, config: str) -> dict[str, Any]:
    """``plumber.task.create``: refused when the name is taken."""
    source = with_header(config, name, description)
    task = await plane.tasks.apply(source=source, format="toml", expected_revision=0)
    return {"task_id": task.id, "status": "created"}


async def update_task(
    plane: ControlPlane, task_id: str, name: str | None, description: str | None, config: str | None
) -> dict[str, Any]:
    """``plumber.task.update``: what is not given stays. A task's name is its identity and cannot change."""
    task = await plane.tasks.show(task=task_id)
    source = with_header(
        config if config is not None else _toml_of(task.format, task.source),
        task.name,
        task.description if description is None else description,
        wanted_name=name,
    )
    saved = await plane.tasks.apply(source=source, format="toml", expected_revision=task.revision.number)
    return {"task_id": saved.id, "status": "updated"}


def _toml_of(format: str, source: str) -> str:
    if format == "toml":
        return source
    raise InvalidRequest(field="config", reason=f"is required: the saved source is {format.upper()}, not TOML")


async def list_tasks(plane: ControlPlane) -> dict[str, Any]:
    """``plumber.task.list``."""
    return {"tasks": [_task(task) async for task in _all_tasks(plane)]}


async def _all_tasks(plane: ControlPlane) -> AsyncIterator[TaskSummary]:
    cursor: str | None = None
    while True:
        page = await plane.tasks.list(limit=500, cursor=cursor)
        for task in page.items:
            yield task
        if (cursor := page.next) is None:
            return


def _task(task: TaskSummary) -> dict[str, Any]:
    status = status_of(task.last_state) if task.last_state else "pending"
    return {"id": task.id, "name": task.name, "description": task.description, "status": status}


async def run_task(plane: ControlPlane, task_id: str) -> dict[str, Any]:
    """``plumber.task.run``."""
    execution = await plane.tasks.run(task=task_id)
    status = status_of(execution.state)
    return {"execution_id": execution.id, "status": status, "message": "task started"}


async def list_executions(plane: ControlPlane, task_id: str | None) -> dict[str, Any]:
    """``plumber.execution.list``, newest first."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < MAX_LISTED:
        page = await plane.executions.list(task=task_id, limit=500, cursor=cursor)
        found.extend(_execution(execution) for execution in page.items)
        if (cursor := page.next) is None:
            break
    return {"executions": found[:MAX_LISTED]}


def _execution(execution: ExecutionSummary) -> dict[str, Any]:
    return {
        "id": execution.id,
        "task_id": execution.task_id,
        "status": status_of(execution.state),
        "start_time": _time(execution.created_at),
        "end_time": _time(execution.ended_at),
    }


async def get_execution(plane: ControlPlane, execution_id: str) -> bytes:
    """``plumber.execution.get`` as JSON, with every step's complete output."""
    execution = await plane.executions.show(execution=execution_id)
    steps = b",".join([await _step(plane, step) for step in execution.steps if not step.replaced])
    return b'{"execution":%b}' % _with(_execution(execution), "steps", b"[%b]" % steps)


def _with(values: dict[str, Any], name: str, json_text: bytes) -> bytes:
    """Return an object as JSON with one more value, which is JSON already."""
    return b'%b,"%b":%b}' % (json.dumps(values).encode()[:-1], name.encode(), json_text)


async def _step(plane: ControlPlane, step: StepExecutionView) -> bytes:
    last = step.attempts[-1] if step.attempts else None
    if last is not None and not last.log_complete:
        await _wait_for_log(plane, last)
    values = {
        "id": step.id,
        "step_index": step.index,
        "agent_id": step.host,
        "path": step.path or "",
        "command": step.command,
        "status": status_of(step.state),
        "exit_code": last.exit_code if last else None,
    }
    return _with(values, "output", await output_json(plane, last.id) if last else b'""')


async def _wait_for_log(plane: ControlPlane, attempt: AttemptView) -> None:
    """A result comes before the last of a long log: whoever sees that a step has ended must see all of its output."""
    if attempt.ended_at is None or attempt.state not in _REPORTED:
        return
    until = attempt.ended_at + LOG_AFTER_END
    while datetime.now(UTC) < until:
        if (await plane.read_log(attempt.id, attempt.log_end, 1)).complete:
            return
        await asyncio.sleep(LOG_INTERVAL)


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
