"""The four methods of the original's agents."""

from __future__ import annotations

from typing import Any, Protocol

from plumber_core.errors import InvalidRequest


class OriginalAgents(Protocol):
    """The engine's door for the original's agents; each call names the credential and is refused without it."""

    async def register(self, token: str, agent_id: str, hostname: str, ip: str) -> Any:
        """Note that the agent started."""
        ...

    async def heartbeat(self, token: str, agent_id: str) -> Any:
        """Note that the agent lives."""
        ...

    async def poll(self, token: str, agent_id: str) -> dict[str, Any] | None:
        """Hand out the next step as ``{step_id, path, command}``."""
        ...

    async def report(
        self, token: str, agent_id: str | None, step_id: str, status: str, exit_code: int, output: str
    ) -> None:
        """Record a step's end; the original's report does not name its agent."""
        ...


async def register(original: OriginalAgents, token: str, agent_id: str, hostname: str, ip: str) -> dict[str, Any]:
    """``plumber.agent.register``."""
    await original.register(token, agent_id, hostname, ip)
    return {"status": "ok", "message": "agent registered"}


async def heartbeat(original: OriginalAgents, token: str, agent_id: str) -> dict[str, Any]:
    """``plumber.agent.heartbeat``."""
    await original.heartbeat(token, agent_id)
    return {"status": "ok"}


async def poll_task(original: OriginalAgents, token: str, agent_id: str) -> dict[str, Any]:
    """``plumber.agent.pollTask``."""
    task = await original.poll(token, agent_id)
    return {"has_task": False} if task is None else {"has_task": True, "task": task}


async def report(
    original: OriginalAgents, token: str, step_id: str, status: str, exit_code: int | None, output: str
) -> dict[str, Any]:
    """``plumber.step.report``."""
    if status not in ("success", "failed"):
        raise InvalidRequest(field="status", reason="must be success or failed")
    code = exit_code if exit_code is not None else int(status == "failed")
    await original.report(token, None, step_id, status, code, output)
    return {"status": "updated"}
