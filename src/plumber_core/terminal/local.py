"""The bodies of the local verbs."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from plumber_core.control.plane import ControlPlane
from plumber_core.terminal.console import out, remark
from plumber_core.terminal.following import watch_to_exit
from plumber_core.terminal.language import _
from plumber_core.terminal.options import SOURCE_FORMATS, Output, Pairs, Raw, parse_pairs, read_source
from plumber_core.terminal.output import Format
from plumber_core.terminal.problems import INTERRUPTED
from plumber_core.version import __version__


async def run(
    file: Annotated[Path, Parameter(help=_("The task file; - reads standard input."))],
    /,
    *,
    param: Pairs = [],  # noqa: B006
    database: Annotated[
        str, Parameter(help=_("Keep the history there, such as sqlite:///ops.db; else nothing is kept."))
    ] = "",
    output: Output = "table",
    raw: Raw = False,
) -> int:
    """Run a task file in this process and return the exit code of its execution."""
    from plumber_core.app import Plumber

    source, parameters = read_source(file), parse_pairs(param)
    with tempfile.TemporaryDirectory(prefix="plumber-") as folder:
        async with Plumber(database or f"sqlite:///{folder}/run.db") as plumber:
            execution = await plumber.executions.start(
                source=source, format=SOURCE_FORMATS.get(file.suffix, "auto"), parameters=parameters
            )
            return await _watch_or_cancel(plumber, execution.id, output, raw)


async def _watch_or_cancel(plane: ControlPlane, execution: str, output: Format, raw: bool) -> int:
    """Watch to the end; Ctrl-C cancels, because nothing goes on once this process has ended."""
    watching = asyncio.ensure_future(watch_to_exit(plane, execution, output, raw=raw, goes_on=False))
    try:
        return await asyncio.shield(watching)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        remark(_("Cancelling; press Ctrl-C again to leave at once."))
        await plane.executions.cancel(execution=execution, reason="Ctrl-C")
        await watching
        return INTERRUPTED


def version(*, output: Output = "table") -> None:
    """Print the version."""
    if output == "json":
        sys.stdout.write(json.dumps({"version": __version__}) + "\n")
    else:
        out().print(f"plumber {__version__}")


def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help=_("Your shell."))], /) -> None:
    """Print the completion script of the whole command line."""
    from plumber_core.cli import build_app

    sys.stdout.write(build_app().generate_completion(shell=shell) + "\n")


def schema_task() -> None:
    """Print the JSON Schema of task files."""
    from plumber_core.planning.schema import task_schema

    sys.stdout.write(json.dumps(task_schema(), indent=2) + "\n")
