"""``execution``: follow, read and end runs of tasks."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

from plumber_client.commands.by_hand import done as done
from plumber_client.commands.by_hand import retry as retry
from plumber_client.commands.by_hand import skip as skip
from plumber_client.commands.connect import server
from plumber_client.commands.paging import first
from plumber_client.commands.pausing import continue_ as continue_
from plumber_client.commands.pausing import pause as pause
from plumber_client.commands.resuming import resume as resume
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import ExecutionDetail, ExecutionSummary
from plumber_core.terminal.console import out
from plumber_core.terminal.durations import ago, duration_text, local_time
from plumber_core.terminal.following import follow_or_tell, watch_to_exit
from plumber_core.terminal.language import _
from plumber_core.terminal.logs import LogRequest, print_logs
from plumber_core.terminal.options import Flag, Output, Raw
from plumber_core.terminal.output import emit, fields, safe, table
from plumber_core.terminal.rollouts import rollout_lines
from plumber_core.terminal.summary import summary
from plumber_core.terminal.words import state_text

Execution = Annotated[str, Parameter(help=_("The execution's id."))]
Reason = Annotated[str, Parameter(help=_("Why: kept with the execution."))]


async def list_(
    *,
    task: Annotated[str, Parameter(help=_("Only this task's."))] = "",
    state: Annotated[ExecutionState | None, Parameter(help=_("Only those in this state."))] = None,
    by: Annotated[str, Parameter(help=_("Only those that this person has requested."))] = "",
    limit: Annotated[int, Parameter(help=_("At most so many."))] = 20,
    output: Output = "table",
) -> None:
    """List executions."""
    async with server() as plumber:
        asked = partial(plumber.executions.list, task=task or None, state=state, by=by or None)
        page = await first(limit, lambda size, at: asked(limit=size, cursor=at))
    columns = [_("Id"), _("Task"), _("State"), _("Started"), _("Time"), _("By")]
    emit(page, output, lambda: table(columns, (_row(execution) for execution in page.items)))


async def show(execution: Execution, /, *, output: Output = "table") -> None:
    """Show every step on every host."""
    async with server() as plumber:
        detail = await plumber.executions.show(execution=execution)
    emit(detail, output, lambda: Group(_header(detail), *rollout_lines(detail), summary(detail, out())))


async def watch(execution: Execution, /, *, output: Output = "table", raw: Raw = False) -> int:
    """Follow an execution to its end; the exit code is the execution's."""
    async with server() as plumber:
        return await watch_to_exit(plumber, execution, output, raw=raw)


async def logs(
    execution: Execution,
    /,
    *,
    host: Annotated[str, Parameter(help=_("Only this host's name or id."))] = "",
    step: Annotated[str, Parameter(help=_("Only this step's name."))] = "",
    raw: Annotated[bool, Flag, Parameter(help=_("Print the bytes as they came, without margins."))] = False,
    follow: Annotated[bool, Flag, Parameter(help=_("Go on until the execution has ended."))] = False,
    output: Output = "table",
) -> None:
    """Print output, complete."""
    async with server() as plumber:
        await print_logs(plumber, LogRequest(execution, host, step, raw, follow, output))


async def cancel(
    execution: Execution,
    /,
    *,
    reason: Reason = "",
    kill: Annotated[bool, Flag, Parameter(help=_("Kill at once, without a grace period."))] = False,
    host: Annotated[
        list[str] | None,
        Parameter(help=_("Only this host, by name or id; may be given again. The rest goes on.")),
    ] = None,
    step: Annotated[str | None, Parameter(help=_("Only this step's name, on those hosts or wherever it runs."))] = None,
    output: Output = "table",
) -> None:
    """End an execution, or a part of it."""
    some: dict[str, Any] = {} if host is None and step is None else {"hosts": host, "step": step}
    async with server() as plumber:
        view = await plumber.executions.cancel(execution=execution, reason=reason, kill=kill, **some)
    part = ", ".join([*(host or ()), *([step] if step else ())])
    told = _("Cancelling {part} of {id}", part=part, id=view.id) if some else _("Cancelling {id}", id=view.id)
    emit(view, output, lambda: safe(told))


async def go(
    execution: Execution,
    /,
    *,
    batch: Annotated[
        int | None, Parameter(help=_("Only if it waits after this batch: nobody else has said go before you."))
    ] = None,
    reason: Reason = "",
    output: Output = "table",
) -> None:
    """Begin the next batch."""
    async with server() as plumber:
        view = await plumber.executions.go(execution=execution, batch=batch, reason=reason)
    emit(view, output, lambda: safe(_("{id} goes on.", id=view.id)))


async def rerun(
    execution: Execution,
    /,
    *,
    reason: Reason = "",
    watch: Annotated[
        bool, Flag, Parameter(name=("--watch", "-w"), help=_("Follow it live; the exit code is the execution's."))
    ] = False,
    output: Output = "table",
    raw: Raw = False,
) -> int:
    """Run it again."""
    async with server() as plumber:
        started = await plumber.executions.rerun(execution=execution, reason=reason)
        return await follow_or_tell(plumber, started, output, watch=watch, raw=raw)


def _row(execution: ExecutionSummary) -> tuple[str | Text, ...]:
    return (
        execution.id,
        execution.task,
        state_text(execution.state),
        ago(execution.created_at),
        duration_text(execution.duration),
        execution.requested_by,
    )


def _header(detail: ExecutionDetail) -> RenderableType:
    revision = f"  {_('revision {number}', number=detail.revision)}" if detail.revision else ""
    parameters = " ".join(f"{name}={value}" for name, value in detail.parameters.items())
    return fields(
        [
            (_("Task"), detail.task + revision),
            (_("Created"), local_time(detail.created_at)),
            (_("By"), detail.requested_by),
            (_("Reason"), detail.reason),
            (_("Parameters"), parameters),
        ]
    )
