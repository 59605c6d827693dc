"""``execution resume``: go on with what has failed or was cancelled."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_core.model.resume_views import WhichRevision
from plumber_core.model.rounds import What
from plumber_core.terminal.following import watch_to_exit
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Flag, Output, Raw
from plumber_core.terminal.output import emit, safe
from plumber_core.terminal.problems import OK
from plumber_core.terminal.resuming import preview_lines

Hosts = Annotated[
    list[str], Parameter(negative=(), help=_("Only these hosts, by name or id, with commas between them."))
]
_FROM = _("From this step or block on everything runs again; what is before it is passed.")
FromStep = Annotated[str | None, Parameter(name="--from", help=_FROM)]


async def resume(
    execution: Annotated[str, Parameter(help=_("The execution's id."))],
    /,
    *,
    hosts: Hosts = [],  # noqa: B006
    from_step: FromStep = None,
    what: Annotated[
        What, Parameter(help=_("rest: every host with something left to do; failed: only hosts that have failed."))
    ] = "rest",
    revision: Annotated[
        WhichRevision, Parameter(help=_("old: as it ran so far; new: what steps do from the newest revision."))
    ] = "old",
    reason: Annotated[str, Parameter(help=_("Why: kept with the execution."))] = "",
    dry_run: Annotated[bool, Flag, Parameter(help=_("Only show what it would touch."))] = False,
    watch: Annotated[
        bool, Flag, Parameter(name=("--watch", "-w"), help=_("Follow it live; the exit code is the execution's."))
    ] = False,
    output: Output = "table",
    raw: Raw = False,
) -> int:
    """Go on with an execution."""
    chosen = [name for some in hosts for name in some.split(",") if name] or None
    async with server() as plumber:
        if dry_run:
            view = await plumber.executions.preview_resume(
                execution=execution, what=what, hosts=chosen, from_step=from_step, revision=revision
            )
            emit(view, output, lambda: preview_lines(view))
            return OK
        resumed = await plumber.executions.resume(
            execution=execution, what=what, hosts=chosen, from_step=from_step, revision=revision, reason=reason
        )
        if watch:
            return await watch_to_exit(plumber, resumed.id, output, raw=raw, since=resumed.round)
    emit(resumed, output, lambda: safe(_("Resumed {id}, round {round}", id=resumed.id, round=resumed.round)))
    return OK
