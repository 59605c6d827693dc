"""Commands that stay until an execution has ended."""

from __future__ import annotations

import asyncio

from plumber_core.control.plane import ControlPlane
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import ExecutionSummary
from plumber_core.terminal.console import out, remark
from plumber_core.terminal.language import _
from plumber_core.terminal.output import emit, safe
from plumber_core.terminal.problems import OK
from plumber_core.terminal.screen import PlainScreen, QuietScreen, Screen
from plumber_core.terminal.watch import exit_code, watch


def screen_for(output: str, *, raw: bool = False) -> Screen:
    """Return the screen that suits standard output: live on a terminal, lines in a pipe, nothing for JSON."""
    if output == "json":
        return QuietScreen()
    console = out()
    if console.is_terminal and not console.is_dumb_terminal:
        from plumber_core.terminal.live import LiveScreen

        return LiveScreen(console, raw=raw)
    return PlainScreen(console, raw=raw)


async def watch_to_exit(
    plane: ControlPlane,
    execution: str,
    output: str = "table",
    *,
    raw: bool = False,
    goes_on: bool = True,
    since: int = 0,
) -> int:
    """Show an execution until it has ended; return the exit code: 0 succeeded, 1 did not.

    What ran before round ``since`` is not shown again. Ctrl-C ends the showing only, and says so.
    """
    try:
        screen = screen_for(output, raw=raw)
        detail = await watch(plane, execution, screen, wanted=lambda step: step.round >= since)
    except asyncio.CancelledError:
        if goes_on:
            remark(_("The execution goes on. Watch it: plumber execution watch {id}", id=execution))
            remark(_("Cancel it: plumber execution cancel {id}", id=execution))
        raise
    if output == "json":
        emit(detail, output, lambda: "")
    elif goes_on and detail.resumable and detail.state in (ExecutionState.FAILED, ExecutionState.CANCELLED):
        remark(_("Go on where it broke: plumber execution resume {id}", id=execution))
    return exit_code(detail)


async def follow_or_tell(
    plane: ControlPlane, started: ExecutionSummary, output: str, *, watch: bool, raw: bool = False
) -> int:
    """After a start: show the execution until it has ended, or only say that it has begun."""
    if watch:
        return await watch_to_exit(plane, started.id, output, raw=raw)
    emit(started, output, lambda: safe(_("Started {id}", id=started.id)))
    return OK
