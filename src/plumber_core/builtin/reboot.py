"""``uses: reboot``: restarts the host and goes on there when it is back.

Settings: ``[plugins.reboot] command = "shutdown -r now"`` is how this host restarts; by default ``systemctl reboot``
where systemd runs, else that.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from plumber_core import Command, CommandExecutor, Executor, PluginContext, hookimpl
from plumber_core.builtin.words import Words

WITH_SYSTEMD, WITHOUT = "systemctl reboot", "shutdown -r now"


def _usual() -> str:
    return WITH_SYSTEMD if Path("/run/systemd/system").is_dir() else WITHOUT


class Settings(BaseModel):
    """How hosts restart."""

    command: Words = Field(default_factory=_usual)


class RebootParams(BaseModel):
    """Parameters of ``reboot``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: Words | None = Field(None, description="what restarts the host; its agent knows if left out")
    timeout: float = Field(600.0, gt=0, le=86_400, description="seconds in which the host has to be back")


class Reboot(CommandExecutor[RebootParams]):
    """Restarts the host and waits until it has booted again."""

    kind = "reboot"
    Params = RebootParams

    def __init__(self, command: str) -> None:
        self._command = command

    def summary(self, params: RebootParams) -> str:
        """Return the command that restarts the host."""
        return params.command or self._command

    def command(self, params: RebootParams) -> Command:
        """Return the command; the attempt ends with the next boot, not with it."""
        return Command(tuple(shlex.split(self.summary(params))), restarts_host=True)


@hookimpl
def register_executors(ctx: PluginContext) -> Iterable[Executor[Any]]:
    """Offer it with this host's command."""
    return [Reboot(ctx.settings(Settings).command)]
