"""``uses: shell``, which ``run:`` stands for: one command line, given to an interpreter."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from plumber_core import Command, CommandExecutor, Executor, hookimpl
from plumber_core.builtin.words import Words

DEFAULT_SHELL = "/bin/sh -e"
SUMMARY_LENGTH = 200


class ShellParams(BaseModel):
    """Parameters of ``shell``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str = Field(min_length=1, description="the command line")
    shell: Words = Field(DEFAULT_SHELL, description="the interpreter; gets -c and the command line")


class Shell(CommandExecutor[ShellParams]):
    """Runs a command line with /bin/sh, or with the shell that is named."""

    kind = "shell"
    Params = ShellParams

    def summary(self, params: ShellParams) -> str:
        """Return the first line of the command."""
        lines = params.run.strip().splitlines() or [""]
        more = " ..." if len(lines) > 1 or len(lines[0]) > SUMMARY_LENGTH else ""
        return lines[0][:SUMMARY_LENGTH] + more

    def command(self, params: ShellParams) -> Command:
        """Return the interpreter with the command line as its last argument."""
        return Command((*shlex.split(params.shell), "-c", params.run))


@hookimpl
def register_executors() -> Iterable[Executor[Any]]:
    return [Shell()]
