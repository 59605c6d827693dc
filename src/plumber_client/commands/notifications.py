"""``notification``: messages to people, and what became of them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_client.commands.paging import first
from plumber_core.model.notice_views import ChannelView, DeliveryView
from plumber_core.model.notices import DeliveryState
from plumber_core.terminal.durations import ago
from plumber_core.terminal.language import N_, _
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, safe, table
from plumber_core.terminal.problems import FAILED, OK

STATES = {"pending": N_("on its way"), "sent": N_("delivered"), "failed": N_("given up")}
OCCASIONS = {
    "failure": N_("failure"),
    "recovery": N_("recovery"),
    "success": N_("success"),
    "waiting": N_("somebody is waited for"),
    "test": N_("test"),
}
Channel = Annotated[str, Parameter(help=_("The channel's name."))]


async def channels(*, output: Output = "table") -> None:
    """List the channels and what waits on each."""
    async with server() as plumber:
        found = await plumber.notifications.channels()
    columns = [_("Name"), _("Plugin"), _("On their way"), _("Given up"), _("Last delivered"), _("Problem")]
    emit(found, output, lambda: table(columns, map(_channel, found)))


async def list_(
    *,
    state: Annotated[DeliveryState | None, Parameter(help=_("Only those in this state."))] = None,
    channel: Annotated[str, Parameter(help=_("Only those of this channel."))] = "",
    limit: Annotated[int, Parameter(help=_("At most so many."))] = 20,
    output: Output = "table",
) -> None:
    """List notifications, newest first."""
    async with server() as plumber:
        asked = partial(plumber.notifications.list, state=state, channel=channel or None)
        page = await first(limit, lambda size, at: asked(limit=size, cursor=at))
    columns = [_("Id"), _("Channel"), _("Occasion"), _("Task"), _("State"), _("When"), _("Tries"), _("Problem")]
    emit(page, output, lambda: table(columns, map(_row, page.items)))


async def test(channel: Channel, /, *, output: Output = "table") -> int:
    """Send a notification now; exit with 1 when it was not taken."""
    async with server() as plumber:
        done = await plumber.notifications.test(channel=channel)
    sent = done.state == "sent"
    well = _("{name} has taken it.", name=channel)
    emit(done, output, lambda: safe(well if sent else _("Not delivered: {error}", error=done.error or "")))
    return OK if sent else FAILED


async def retry(
    id: Annotated[str, Parameter(help=_("The notification's id, see `plumber notification list`."))],
    /,
    *,
    output: Output = "table",
) -> None:
    """Try a notification again now."""
    async with server() as plumber:
        row = await plumber.notifications.retry(id=id)
    emit(row, output, lambda: safe(_("It is on its way to {name} again.", name=row.channel)))


def _channel(channel: ChannelView) -> tuple[str, ...]:
    counts = str(channel.pending or ""), str(channel.failed or "")
    return channel.name, channel.plugin, *counts, ago(channel.sent_at), channel.error or ""


def _row(row: DeliveryView) -> tuple[str, ...]:
    occasion, state = _(OCCASIONS.get(row.occasion, row.occasion)), _(STATES[row.state])
    tried = (ago(row.created_at), str(row.attempts), row.error or "")
    return row.id, row.channel, occasion, row.task or "", state, *tried
