"""The operations on what steps run on: agents and executors. Part of ``nouns.py``, whose rules hold here too."""

from __future__ import annotations

from typing import Protocol

from plumber_core.control.operations import operation
from plumber_core.model.overviews import ExecutorView, GroupView, TargetMatch
from plumber_core.model.views import AgentConfig, AgentCreated, AgentView, Done, Enrolment, Page, StrayView


class Agents(Protocol):
    """The fleet."""

    @operation("agent.list", writes=False)
    async def list(self, *, on: str = "all", limit: int = 500, cursor: str | None = None) -> Page[AgentView]:
        """Return the agents that match a target expression, in order of their names."""
        ...

    @operation("agent.match", writes=False)
    async def match(self, *, on: str) -> TargetMatch:
        """Return who matches a target expression now and could run a step, and who nearly does and why not.

        Raises: InvalidRequest (its reason names the column).
        """
        ...

    @operation("agent.show", writes=False)
    async def show(self, *, agent: str) -> AgentView:
        """Return one agent.

        Raises: NotFound.
        """
        ...

    @operation("agent.create")
    async def create(self, *, name: str, labels: dict[str, str] | None = None, slots: int = 8) -> AgentCreated:
        """Create an agent and its agent.json; the token is in this answer only.

        Raises: InvalidRequest, Conflict (the name is taken).
        """
        ...

    @operation("agent.enroll")
    async def enroll(
        self, *, name: str | None = None, labels: dict[str, str] | None = None, minutes: int = 60
    ) -> Enrolment:
        """Create a one-time token with which a new server enrols itself."""
        ...

    @operation("agent.redeem", public=True)
    async def redeem(self, *, token: str, name: str, server_addr: str) -> AgentConfig:
        """Exchange a one-time enrolment token for an agent.json.

        Raises: Unauthenticated (used, expired or wrong), Conflict (the name is taken), RateLimited.
        """
        ...

    @operation("agent.update")
    async def update(
        self,
        *,
        agent: str,
        name: str | None = None,
        labels: dict[str, str] | None = None,
        slots: int | None = None,
    ) -> AgentView:
        """Change what is given; ``labels`` replaces all labels.

        Raises: NotFound, InvalidRequest, Conflict (the name is taken).
        """
        ...

    @operation("agent.drain")
    async def drain(self, *, agent: str) -> AgentView:
        """Hand out no new steps; running ones end.

        Raises: NotFound, Conflict.
        """
        ...

    @operation("agent.activate")
    async def activate(self, *, agent: str) -> AgentView:
        """Hand out steps again.

        Raises: NotFound, Conflict (revoked).
        """
        ...

    @operation("agent.disable")
    async def disable(self, *, agent: str) -> AgentView:
        """Hand out no new steps and let no new execution target this agent.

        Raises: NotFound, Conflict.
        """
        ...

    @operation("agent.waive")
    async def waive(self, *, agent: str) -> AgentView:
        """Wait no longer for what an agent has not told since the database lost commits.

        For an agent that will not come back, and for one of the original, which cannot tell. What it ran in the lost
        commits may then run a second time.

        Raises: NotFound, Conflict (nothing is awaited of it).
        """
        ...

    @operation("agent.strays", writes=False)
    async def strays(self, *, agent: str, limit: int = 50, cursor: str | None = None) -> Page[StrayView]:
        """Return what an agent ran for executions that the database has lost, newest first.

        Raises: NotFound.
        """
        ...

    @operation("agent.rotate")
    async def rotate(self, *, agent: str) -> AgentConfig:
        """Issue a new credential; the old one lives until the new one is first used.

        Raises: NotFound, Conflict (revoked).
        """
        ...

    @operation("agent.revoke")
    async def revoke(self, *, agent: str) -> AgentView:
        """Refuse the agent from now on.

        Raises: NotFound.
        """
        ...

    @operation("agent.delete")
    async def delete(self, *, agent: str) -> Done:
        """Forget an agent; its history stays, its id is never used again.

        Raises: NotFound, Conflict (it still runs something).
        """
        ...


class Groups(Protocol):
    """Saved groups: target expressions that have a name; ``group:NAME`` means them in any target."""

    @operation("group.list", writes=False)
    async def list(self) -> list[GroupView]:
        """Return every group, in order of their names."""
        ...

    @operation("group.save")
    async def save(self, *, name: str, expression: str, description: str = "") -> GroupView:
        """Give a target expression a name, or another expression to a name.

        Executions that have started keep the hosts that they have.

        Raises: InvalidRequest (its reason names the column, the group that does not exist, or the circle).
        """
        ...

    @operation("group.delete")
    async def delete(self, *, name: str) -> Done:
        """Forget a group. A task that names it cannot run until it is saved again.

        Raises: NotFound, Conflict (another group is made of it).
        """
        ...


class Executors(Protocol):
    """Step types."""

    @operation("executor.list", writes=False)
    async def list(self) -> list[ExecutorView]:
        """Return every step type that this server or an agent knows, with the JSON Schema of its parameters."""
        ...
