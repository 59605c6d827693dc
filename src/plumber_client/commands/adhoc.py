"""``exec``: one command on many servers, without a task."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_core.errors import InvalidRequest, ValidationFailed
from plumber_core.terminal.following import watch_to_exit
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output, Raw

_OPTIONS = {"steps[0].on": "--on", "steps[0].timeout": "--timeout", "steps[0].run": "COMMAND"}


async def exec_(
    *command: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help=_("The command, after --. One single word goes to the shell as it is: 'df -h | tail -1'."),
        ),
    ],
    on: Annotated[str, Parameter(help=_("Where: agents by name, id or labels, such as 'role=web and env=prod'."))],
    timeout: Annotated[str, Parameter(help=_("End the command after this time, such as 10m."))] = "",
    output: Output = "table",
    raw: Raw = False,
) -> int:
    """Start the command everywhere, watch it, and return the exit code of the execution."""
    source = source_of(command, on, timeout)
    async with server() as plumber:
        try:
            execution = await plumber.executions.start(source=source, format="json")
        except ValidationFailed as error:
            raise in_options(error) from None
        return await watch_to_exit(plumber, execution.id, output, raw=raw)


def source_of(command: tuple[str, ...], on: str, timeout: str) -> str:
    """Return the task that runs a command.

    Raises: InvalidRequest (no command).
    """
    if not command:
        raise InvalidRequest(field="COMMAND", reason=_("write the command after --"))
    line = command[0] if len(command) == 1 else shlex.join(command)
    step = {"name": "command", "on": on, "run": line} | ({"timeout": timeout} if timeout else {})
    return json.dumps({"name": "exec", "description": line[:200], "steps": [step]})


def in_options(error: ValidationFailed) -> ValidationFailed:
    """Return the problems of a task that nobody wrote at the options that it was made from."""
    problems = [
        {**problem, "path": _OPTIONS.get(problem["path"], problem["path"]), "line": 0, "column": 0}
        for problem in error.arguments["problems"]
    ]
    return ValidationFailed(problems=problems)
