"""``subscriber``: event subscribers, and those of them that are stuck."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_core.model.notice_views import SubscriberView
from plumber_core.terminal.durations import ago
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, safe, table

Name = Annotated[str, Parameter(help=_("The subscriber's name."))]
Event = Annotated[str, Parameter(help=_("The id of the event that it cannot take, see `plumber subscriber list`."))]
Reason = Annotated[str, Parameter(help=_("Why: kept in the event log."))]


async def list_(*, output: Output = "table") -> None:
    """List event subscribers, how much waits for each, and where one is stuck."""
    async with server() as plumber:
        found = await plumber.subscribers.list()
    columns = [_("Name"), _("Plugin"), _("Waiting"), _("Stuck since"), _("At event"), _("Tries"), _("Problem")]
    emit(found, output, lambda: table(columns, map(_row, found)))


async def retry(name: Name, /, *, output: Output = "table") -> None:
    """Ask a stuck subscriber again now."""
    async with server() as plumber:
        view = await plumber.subscribers.retry(name=name)
    emit(view, output, lambda: safe(_("{name} is asked again.", name=name)))


async def skip(name: Name, /, *, event: Event, reason: Reason, output: Output = "table") -> None:
    """Have a stuck subscriber go on behind the event that it cannot take."""
    async with server() as plumber:
        view = await plumber.subscribers.skip(name=name, event=event, reason=reason)
    emit(view, output, lambda: safe(_("{name} goes on behind {event}.", name=name, event=event)))


def _row(one: SubscriberView) -> tuple[str, ...]:
    stuck = one.stuck_at
    place = f"{stuck.id} {stuck.kind}" if stuck is not None else ""
    tries = str(one.failures or "")
    return one.name, one.plugin, str(one.waiting or ""), ago(one.failing_since), place, tries, one.error or ""
