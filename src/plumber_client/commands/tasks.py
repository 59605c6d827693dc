"""``task``: define, check and run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

from plumber_client.commands.connect import server
from plumber_client.commands.paging import first
from plumber_core.errors import NotFound, ValidationFailed
from plumber_core.model.views import PlannedStep, PlanView, TaskDetail, TaskSummary
from plumber_core.terminal.console import err, out
from plumber_core.terminal.durations import duration_text, local_time
from plumber_core.terminal.following import follow_or_tell
from plumber_core.terminal.language import _
from plumber_core.terminal.options import SOURCE_FORMATS, Flag, Output, Pairs, Raw, parse_pairs, read_source
from plumber_core.terminal.output import emit, fields, safe, table
from plumber_core.terminal.problems import OK, REFUSED, print_error, problem_text
from plumber_core.terminal.rollouts import planned_lines
from plumber_core.terminal.words import state_text

if TYPE_CHECKING:
    from plumber_client import AsyncClient

File = Annotated[Path, Parameter(name=("--file", "-f"), help=_("The task file; - reads standard input."))]
Task = Annotated[str, Parameter(help=_("The task's name or id."))]
Revision = Annotated[int | None, Parameter(help=_("That revision instead of the newest."))]
HOSTS_SHOWN = 5


async def apply(
    *,
    file: File,
    note: Annotated[str, Parameter(help=_("Why: kept with the revision."))] = "",
    output: Output = "table",
) -> int:
    """Save a file as a task."""
    source = read_source(file)
    async with server() as plumber:
        try:
            saved = await plumber.tasks.apply(source=source, format=SOURCE_FORMATS.get(file.suffix, "auto"), note=note)
        except ValidationFailed as error:
            print_error(error, source=str(file))
            return REFUSED
    emit(saved, output, lambda: safe(_saved(saved)))
    return OK


async def validate(*, file: File, output: Output = "table") -> int:
    """Check a file."""
    source = read_source(file)
    async with server() as plumber:
        report = await plumber.tasks.validate(source=source, format=SOURCE_FORMATS.get(file.suffix, "auto"))
    if output == "json" or not report.problems:
        emit(report, output, lambda: safe(_("{name} can be saved.", name=report.name)))
    else:
        for problem in report.problems:
            err().print(problem_text(problem.model_dump(), str(file)), soft_wrap=True)
    return REFUSED if report.problems else OK


async def plan(task: Task, /, *, param: Pairs = [], revision: Revision = None, output: Output = "table") -> None:  # noqa: B006
    """Show what a run would do."""
    async with server() as plumber:
        view = await plumber.tasks.plan(task=task, parameters=parse_pairs(param), revision=revision)
    emit(view, output, lambda: Group(_plan_table(view), *planned_lines(view)))
    if output == "table":
        out().print(safe(_("Plan {hash}", hash=view.hash)), style="dim")


async def list_(
    *,
    search: Annotated[str, Parameter(help=_("Only names and descriptions with this text."))] = "",
    limit: Annotated[int, Parameter(help=_("At most so many."))] = 200,
    output: Output = "table",
) -> None:
    """List tasks."""
    async with server() as plumber:
        page = await first(limit, lambda size, at: plumber.tasks.list(search=search, limit=size, cursor=at))
    columns = [_("Name"), _("Revision"), _("Last run"), _("Changed"), _("Description")]
    emit(page, output, lambda: table(columns, (_row(task) for task in page.items)))


async def show(task: Task, /, *, revision: Revision = None, output: Output = "table") -> None:
    """Show a task's source."""
    async with server() as plumber:
        view = await plumber.tasks.show(task=task, revision=revision)
    if output == "table":
        out().print(_header(view))
        out().print()
    emit(view, output, lambda: safe(view.source.rstrip("\n")))


info = show


async def run(
    task: Task,
    /,
    *,
    param: Pairs = [],  # noqa: B006
    reason: Annotated[str, Parameter(help=_("Why: kept with the execution."))] = "",
    revision: Revision = None,
    watch: Annotated[
        bool, Flag, Parameter(name=("--watch", "-w"), help=_("Follow it live; the exit code is the execution's."))
    ] = False,
    output: Output = "table",
    last: Annotated[
        bool, Flag, Parameter(help=_("Take the values of your last run of this task for what --param does not give."))
    ] = False,
    raw: Raw = False,
) -> int:
    """Start a task."""
    async with server() as plumber:
        given = await _last_values(plumber, task) | parse_pairs(param) if last else parse_pairs(param)
        execution = await plumber.tasks.run(task=task, parameters=given, reason=reason, revision=revision)
        return await follow_or_tell(plumber, execution, output, watch=watch, raw=raw)


async def _last_values(plumber: AsyncClient, task: str) -> dict[str, Any]:
    """Return what the caller has last given to this task, of what it still declares."""
    caller = await plumber.sessions.whoami()
    declared = (await plumber.tasks.show(task=task)).definition.get("params", {})
    for earlier in (await plumber.executions.list(task=task, by=caller.name, limit=1)).items:
        values = (await plumber.executions.show(execution=earlier.id)).parameters
        return {name: value for name, value in values.items() if name in declared and value is not None}
    return {}


async def history(task: Task, /, *, output: Output = "table") -> None:
    """List revisions."""
    async with server() as plumber:
        revisions = await plumber.tasks.history(task=task)
    rows = [(str(r.number), r.author, local_time(r.created_at), r.note) for r in revisions]
    emit(revisions, output, lambda: table([_("Revision"), _("Author"), _("Time"), _("Note")], rows))


async def diff(
    task: Task,
    old: Annotated[int | None, Parameter(help=_("The older revision."))] = None,
    new: Annotated[int | None, Parameter(help=_("The newer revision."))] = None,
    /,
    *,
    output: Output = "table",
) -> None:
    """Compare two revisions."""
    async with server() as plumber:
        if old is None or new is None:
            newest = (await plumber.tasks.show(task=task)).revision.number
            new = new or newest
            old = old or new - 1
        if old < 1:
            raise NotFound(kind="revision", name=str(old))
        view = await plumber.tasks.diff(task=task, old=old, new=new)
    emit(view, output, lambda: _coloured(view.diff))


async def delete(task: Task, /, *, output: Output = "table") -> None:
    """Delete a task."""
    async with server() as plumber:
        done = await plumber.tasks.delete(task=task)
    emit(done, output, lambda: safe(_("Deleted {name}.", name=task)))


def _saved(task: TaskDetail) -> str:
    number = task.revision.number
    if task.created:
        return _("Created {name}, revision {number}.", name=task.name, number=number)
    if task.changed:
        return _("Saved {name}, revision {number}.", name=task.name, number=number)
    return _("{name} is unchanged, revision {number}.", name=task.name, number=number)


def _row(task: TaskSummary) -> tuple[str | Text, ...]:
    last = state_text(task.last_state) if task.last_state else Text("-", style="dim")
    return (task.name, str(task.revision), last, local_time(task.updated_at), task.description)


def _header(task: TaskDetail) -> RenderableType:
    revision = task.revision
    return fields(
        [
            (_("Task"), task.name),
            (_("Description"), task.description),
            (
                _("Revision"),
                f"{revision.number}  {revision.author}  {local_time(revision.created_at)}  {revision.note}",
            ),
            (_("Id"), task.id),
        ]
    )


def _plan_table(plan: PlanView) -> RenderableType:
    rows = [(str(s.index + 1), _name(s), _hosts(s), s.uses, s.command, duration_text(s.timeout)) for s in plan.steps]
    return table([_("No."), _("Step"), _("Hosts"), _("Executor"), _("Command"), _("Timeout")], rows)


def _name(step: PlannedStep) -> Text:
    name = safe(step.name)
    told = [_("always")] if step.always else []
    told += [_("needs {steps}", steps=", ".join(step.needs))] if step.needs else []
    told += [_("when {condition}", condition=condition) for condition in step.when]
    for one in told:
        name.append("\n  " + safe(one).plain, style="dim")
    return name


def _hosts(step: PlannedStep) -> Text:
    hosts = Text(", ").join(
        state_text(host.presence, word=False).append(" ").append_text(safe(host.name))
        for host in step.hosts[:HOSTS_SHOWN]
    )
    if step.any_of:
        hosts = Text(_("any {n} of", n=step.any_of) + " ").append(hosts)
    if len(step.hosts) > HOSTS_SHOWN:
        hosts.append(" " + _("and {count} more", count=len(step.hosts) - HOSTS_SHOWN), style="dim")
    return hosts


def _coloured(diff: str) -> Text:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    text = Text()
    for line in diff.splitlines():
        text.append(safe(line).plain + "\n", style=styles.get(line[:1]))
    text.rstrip()
    return text
