"""Where this server is reached: the core does not know, and an agent.json must say it."""

from __future__ import annotations

import shlex
from typing import Any

from litestar.types import Scope

from plumber_core.config import Settings
from plumber_core.model.views import AgentConfig, AgentCreated, Enrolment
from plumber_server.credentials import header

UNKNOWN = "{server}"
"""Stands in the core's answers for the address, as long as nobody configured one."""


class OwnAddress:
    """Completes answers that hold an agent.json with the address that agents dial."""

    def __init__(self, settings: Settings | None) -> None:
        self._configured = settings.public_url.rstrip("/") if settings and settings.public_url else None

    def of(self, scope: Scope) -> str:
        """Return the configured address, else the one that this caller used."""
        if self._configured:
            return self._configured
        host = header(scope, b"host") or "127.0.0.1"
        return f"{scope.get('scheme', 'http')}://{host}{scope.get('root_path', '')}"

    def complete(self, answer: Any, scope: Scope) -> Any:
        """Return the answer with the address in it, where the core left it open."""
        if isinstance(answer, AgentConfig) and answer.server_addr in ("", UNKNOWN):
            return answer.model_copy(update={"server_addr": self.of(scope)})
        if isinstance(answer, AgentCreated):
            return answer.model_copy(update={"config": self.complete(answer.config, scope)})
        if isinstance(answer, Enrolment):
            # A caller's Host header may hold anything, and the line is made to be pasted into a shell.
            address = shlex.quote(self.of(scope))
            return answer.model_copy(update={"command": answer.command.replace(UNKNOWN, address)})
        return answer
