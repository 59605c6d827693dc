"""``group``: target expressions that have a name."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_core.model.overviews import GroupView
from plumber_core.terminal.durations import ago
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, safe, table

Group = Annotated[str, Parameter(help=_("The group's name."))]


async def list_(*, output: Output = "table") -> None:
    """List groups and how many agents they mean now."""
    async with server() as plumber:
        groups = await plumber.groups.list()
    columns = [_("Name"), _("Agents"), _("Expression"), _("Description"), _("Changed")]
    emit(groups, output, lambda: table(columns, map(_row, groups)))


async def save(
    name: Group,
    expression: Annotated[str, Parameter(help=_("A target expression, such as role=web and not web-3."))],
    /,
    *,
    description: Annotated[str, Parameter(help=_("What the group is for."))] = "",
    output: Output = "table",
) -> None:
    """Give a target expression a name."""
    async with server() as plumber:
        saved = await plumber.groups.save(name=name, expression=expression, description=description)
    emit(saved, output, lambda: safe(_("group:{name} means {n} of the agents now.", name=saved.name, n=saved.total)))


async def delete(name: Group, /, *, output: Output = "table") -> None:
    """Forget a group."""
    async with server() as plumber:
        done = await plumber.groups.delete(name=name)
    emit(done, output, lambda: safe(_("Deleted {name}.", name=name)))


def _row(group: GroupView) -> tuple[str, ...]:
    changed = f"{ago(group.updated_at)}, {group.updated_by}"
    return group.name, str(group.total), group.expression, group.description, changed
