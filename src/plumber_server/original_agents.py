"""The four methods of the original's agents."""

from __future__ import annotations

from typing import Any, Protocol


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

    async def report(self, token: str, step_id: str, status: str, exit_code: int | None, output: str) -> None:
        """Record a step's end."""
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
    await original.report(token, step_id, status, exit_code, output)
    return {"status": "updated"}
