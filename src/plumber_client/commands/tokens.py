"""``token``: API tokens for programs."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from plumber_client.commands.connect import server
from plumber_core.model.views import TokenInfo
from plumber_core.terminal.console import remark
from plumber_core.terminal.durations import ago, local_time
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, safe, table


async def create(
    name: Annotated[str, Parameter(help=_("What the token is for."))],
    /,
    *,
    days: Annotated[int, Parameter(help=_("Days until it expires; 0 means never."))] = 365,
    output: Output = "table",
) -> None:
    """Create a token and print it."""
    async with server() as plumber:
        created = await plumber.tokens.create(name=name, days=days or None)
    if output == "table":
        remark(_("Keep this token: it is not shown again."))
    emit(created, output, lambda: safe(created.token))


async def list_(*, output: Output = "table") -> None:
    """List the caller's tokens."""
    async with server() as plumber:
        tokens = await plumber.tokens.list()
    columns = [_("Id"), _("Name"), _("Created"), _("Expires"), _("Last used")]
    emit(tokens, output, lambda: table(columns, (_row(token) for token in tokens)))


async def revoke(
    id: Annotated[str, Parameter(help=_("The token's id, see `plumber token list`."))],
    /,
    *,
    output: Output = "table",
) -> None:
    """Revoke a token."""
    async with server() as plumber:
        done = await plumber.tokens.revoke(id=id)
    emit(done, output, lambda: safe(_("Revoked {name}.", name=id)))


def _row(token: TokenInfo) -> tuple[str, ...]:
    expires = local_time(token.expires_at)[:10] or _("never")
    return (token.id, token.name, local_time(token.created_at), expires, ago(token.last_used_at))
