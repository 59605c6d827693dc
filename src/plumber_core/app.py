"""``Plumber``: the composition root. (Interface first; the body follows.)"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from plumber_core.control import nouns
from plumber_core.control.plane import ControlPlane
from plumber_core.model.views import Event, ExecutionDetail, LogGrowth, LogSlice, Principal
from plumber_core.protocol.peer import Peer


class Plumber:
    """The control plane in-process, an async context manager. Acts as the principal ``system``."""

    sessions: nouns.Sessions
    tokens: nouns.Tokens
    tasks: nouns.Tasks
    executions: nouns.Executions
    agents: nouns.Agents
    system: nouns.System

    def __init__(
        self, database_url: str = "sqlite:///plumber.db", *, local_agent: bool = True, admin_password: str | None = None
    ) -> None: ...

    async def __aenter__(self) -> Plumber:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def authenticate(self, token: str) -> Principal:
        """Return who a bearer token belongs to (a user's session or an API token; never an agent's).

        Raises: Unauthenticated.
        """
        raise NotImplementedError

    def acting_as(self, principal: Principal, *, token: str | None = None, address: str = "") -> ControlPlane:
        """Return the control plane bound to a principal: every call is authorised for it."""
        raise NotImplementedError

    def anonymous(self, *, address: str = "") -> ControlPlane:
        """Return the control plane for callers without a credential: only public operations answer."""
        raise NotImplementedError

    async def agent_peer(self, token: str) -> Peer:
        """Return the engine as the agent with this credential sees it.

        Raises: Refused.
        """
        raise NotImplementedError

    async def read_log(self, attempt: str, offset: int = 0, limit: int = 1024 * 1024) -> LogSlice:
        raise NotImplementedError

    def follow(self, *, execution: str | None = None, after: str | None = None) -> AsyncIterator[Event | LogGrowth]:
        raise NotImplementedError

    async def run(self, task: Any, **parameters: Any) -> ExecutionDetail:
        """Start a task (a ``Task``, a dict or YAML text) and wait for its end."""
        raise NotImplementedError

    async def ready(self) -> bool:
        """Say whether calls are served: the database answers and its schema is current."""
        raise NotImplementedError

    def metrics(self) -> dict[str, float]:
        """Return counters and gauges by their names, such as ``plumber_steps_dispatched_total``."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Tell agents goodbye and end every ``follow``: called first when a server stops."""
        raise NotImplementedError
