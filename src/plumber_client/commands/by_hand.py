"""``execution retry``, ``skip`` and ``done``: one step on one host in somebody's own hands."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, safe

Execution = Annotated[str, Parameter(help=_("The execution's id."))]
Step = Annotated[str, Parameter(help=_("The step's name."))]
Host = Annotated[str, Parameter(help=_("The host's name or id."))]
Reason = Annotated[str, Parameter(help=_("Why: kept with the execution."))]


async def retry(execution: Execution, /, *, step: Step, host: Host, reason: Reason, output: Output = "table") -> None:
    """Try a step again."""
    async with server() as plumber:
        view = await plumber.executions.retry_step(execution=execution, step=step, host=host, reason=reason)
    emit(view, output, lambda: safe(_("{step} is tried again on {host}.", step=step, host=host)))


async def skip(execution: Execution, /, *, step: Step, host: Host, reason: Reason, output: Output = "table") -> None:
    """Pass over a step."""
    async with server() as plumber:
        view = await plumber.executions.skip_step(execution=execution, step=step, host=host, reason=reason)
    emit(view, output, lambda: safe(_("{step} is skipped on {host}.", step=step, host=host)))


async def done(execution: Execution, /, *, step: Step, host: Host, reason: Reason, output: Output = "table") -> None:
    """Say that a step was done by hand."""
    async with server() as plumber:
        view = await plumber.executions.mark_done(execution=execution, step=step, host=host, reason=reason)
    emit(view, output, lambda: safe(_("{step} counts as done on {host}.", step=step, host=host)))
