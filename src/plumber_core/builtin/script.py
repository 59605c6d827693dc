"""``uses: script``: a whole script in any language, as a file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from plumber_core import Command, CommandExecutor, Executor, hookimpl
from plumber_core.builtin.words import Words

DEFAULT_INTERPRETER = ("/bin/sh", "-e")
SUMMARY_LENGTH = 200


class ScriptParams(BaseModel):
    """Parameters of ``script``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    script: str = Field(min_length=1, description="the text of the script; a first line #!... names its interpreter")
    interpreter: Words | None = Field(None, description="such as python3; wins over the first line")
    args: list[str] = Field([], description="arguments, each one word for the script whatever it contains")


class Script(CommandExecutor[ScriptParams]):
    """Runs a script from a private file, with the interpreter that it or the step names."""

    kind = "script"
    Params = ScriptParams

    def summary(self, params: ScriptParams) -> str:
        """Return the interpreter, the length and the arguments."""
        lines = len(params.script.splitlines())
        interpreter, arguments = shlex.join(self._interpreter(params)), shlex.join(params.args)
        return f"{interpreter} (script, {lines} lines) {arguments}".rstrip()[:SUMMARY_LENGTH]

    def command(self, params: ScriptParams) -> Command:
        """Return the interpreter, the script and its arguments."""
        return Command(self._interpreter(params), params.script, tuple(params.args))

    def _interpreter(self, params: ScriptParams) -> tuple[str, ...]:
        if params.interpreter is not None:
            return tuple(shlex.split(params.interpreter))
        first = params.script.partition("\n")[0]
        # As the kernel reads it: a path and at most one argument. The file itself is never executed, so that
        # the agent's state may lie on a file system mounted noexec.
        words = tuple(first[2:].strip().split(maxsplit=1)) if first.startswith("#!") else ()
        return words or DEFAULT_INTERPRETER


@hookimpl
def register_executors() -> Iterable[Executor[Any]]:
    return [Script()]
