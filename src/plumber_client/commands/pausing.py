"""``execution pause`` and ``continue``: start nothing more, and go on where it was."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, safe

Execution = Annotated[str, Parameter(help=_("The execution's id."))]
Reason = Annotated[str, Parameter(help=_("Why: kept with the execution."))]


async def pause(execution: Execution, /, *, reason: Reason = "", output: Output = "table") -> None:
    """Start nothing more."""
    async with server() as plumber:
        view = await plumber.executions.pause(execution=execution, reason=reason)
    told = _("{id} is paused; what runs ends as it may. Go on: plumber execution continue {id}", id=view.id)
    emit(view, output, lambda: safe(told))


async def continue_(execution: Execution, /, *, reason: Reason = "", output: Output = "table") -> None:
    """Go on where it was."""
    async with server() as plumber:
        view = await plumber.executions.continue_(execution=execution, reason=reason)
    emit(view, output, lambda: safe(_("{id} goes on.", id=view.id)))
