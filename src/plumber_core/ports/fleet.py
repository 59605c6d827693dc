"""Agents, and groups of them that have a name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from plumber_core.model import records as r
from plumber_core.model.states import AgentState


class GroupStore(Protocol):
    """Targets that have a name. Each change is one of the fleet: targets resolved before it may be stale."""

    async def list_groups(self) -> list[r.GroupRow]:
        """Return every group, by name."""
        ...

    async def save_group(self, group: r.GroupRow) -> r.GroupRow:
        """Put a group in the place of the one of this name, if there is one; return it as it is kept."""
        ...

    async def delete_group(self, name: str, by: str) -> bool:
        """Forget a group; False when there is none."""
        ...


class AgentStore(GroupStore, Protocol):
    """The fleet."""

    async def add_agent(self, agent: r.AgentRow, secret: str) -> bool:
        """Create an agent with its credential; False when the name is taken."""
        ...

    async def find_agents(self, ids: Collection[str]) -> tuple[list[r.AgentRow], int]:
        """Return these agents, and the database's time at which they were read."""
        ...

    async def find_agent(self, name_or_id: str) -> r.AgentRow | None: ...

    async def list_agents(self) -> tuple[int, list[r.AgentRow]]:
        """Return the fleet's version and every agent, by name, with the number of its live attempts."""
        ...

    async def update_agent(self, id: str, values: dict[str, Any]) -> bool:
        """Change columns and the fleet's version; False when a name is taken."""
        ...

    async def set_agent_state(self, id: str, state: AgentState, sources: Sequence[AgentState]) -> bool: ...

    async def waive_inventory(self, id: str, by: str) -> bool:
        """Wait no longer for an agent's inventory of this epoch. False when it is not awaited: nothing was changed."""
        ...

    async def rotate_agent(self, id: str, secret: str) -> None:
        """Add a credential; the older ones die when it is first used."""
        ...

    async def delete_agent(self, id: str) -> bool:
        """Forget an agent without live attempts."""
        ...

    async def open_session(
        self, id: str, decide: Callable[[r.AgentRow, int], dict[str, Any] | None]
    ) -> tuple[r.AgentRow, int] | None:
        """Lock the agent's row, let ``decide(row, epoch)`` say which columns change, write them, return the row."""
        ...

    async def presence(
        self, server: str, heard: dict[str, float], interval: float, loads: dict[str, tuple[float, float]]
    ) -> r.Presence:
        """Store when agents were last heard (seconds ago), their new ``loads`` (CPUs, memory), and that this server
        lives; lead unless another does. When no server has for two ``interval`` s, silence counts from now on."""
        ...

    async def standings(self) -> dict[str, r.Standing]:
        """Return those of all agents, by id: what other servers may have changed."""
        ...

    async def forget_server(self, server: str) -> None: ...

    async def live_steps(self, agent_id: str) -> list[tuple[r.StepRow, r.AttemptRow]]:
        """Return the agent's live step executions with their attempts."""
        ...
