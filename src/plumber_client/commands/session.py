"""``login``, ``logout``, ``whoami``, ``set-config``."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import Parameter

from plumber_client import config
from plumber_client._http import base_url
from plumber_client.commands.connect import server
from plumber_client.config import Profile
from plumber_core.errors import InvalidRequest, PlumberError
from plumber_core.model.views import Done, Principal
from plumber_core.terminal.console import err, remark
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Flag, Output
from plumber_core.terminal.output import emit, safe

Token = Annotated[str, Parameter(help=_("An API token instead of a user and a password."))]


async def login(
    url: Annotated[str, Parameter(help=_("The server's address, such as https://plumber.example."))],
    /,
    *,
    user: Annotated[str, Parameter(help=_("The user's name."))] = "",
    password_stdin: Annotated[bool, Flag, Parameter(help=_("Read the password from standard input."))] = False,
    token: Token = "",
    output: Output = "table",
) -> None:
    """Log in and remember the session."""
    address = base_url(url)
    if token:
        await _adopt_token(address, token, output)
        return
    await _adopt_password(address, user or _ask_user(), _read_password(password_stdin), output)


async def logout(*, output: Output = "table") -> None:
    """End the session at the server and forget it here, even when the server is away."""
    profile = config.current()
    try:
        async with server(profile) as plumber:
            await plumber.sessions.logout()
    except PlumberError as error:
        remark(str(error))
    config.store(Profile(url=profile.url))
    emit(Done(), output, lambda: safe(_("Logged out of {url}.", url=profile.url)))


async def whoami(*, output: Output = "table") -> None:
    """Show who makes the calls."""
    profile = config.current()
    async with server(profile) as plumber:
        principal = await plumber.sessions.whoami()
    emit(principal, output, lambda: safe(_who(principal, profile.url)))


async def set_config(
    *,
    url: Annotated[str, Parameter(help=_("The server's address, such as https://plumber.example."))] = "",
    user: Annotated[str, Parameter(help=_("The user's name."))] = "",
    password: Annotated[str, Parameter(help=_("The password: it is exchanged for a session, never stored."))] = "",
    token: Token = "",
    output: Output = "table",
) -> None:
    """Remember a server and a credential."""
    profile = config.stored()
    address = base_url(url or profile.url) if url or profile.url else ""
    if not address:
        raise config.NoServer
    if token:
        config.store(Profile(address, token, user))
    elif password:
        await _adopt_password(address, user or profile.user or "admin", password, output)
        return
    else:
        kept = profile.token if address == profile.url else ""
        config.store(Profile(address, kept, user or profile.user))
    emit(Done(), output, lambda: safe(_("Saved: {file}", file=config.config_file())))


async def _adopt_token(url: str, token: str, output: str) -> None:
    async with server(Profile(url, token)) as plumber:
        principal = await plumber.sessions.whoami()
    _remember(Profile(url, token, principal.name), principal, output)


async def _adopt_password(url: str, user: str, password: str, output: str) -> None:
    async with server(Profile(url)) as plumber:
        session = await plumber.sessions.login(username=user, password=password)
    _remember(Profile(url, session.token, session.user.name), session.user, output)


def _remember(profile: Profile, principal: Principal, output: str) -> None:
    config.store(profile)
    emit(principal, output, lambda: safe(_("Logged in: {who}", who=_who(principal, profile.url))))


def _who(principal: Principal, url: str) -> str:
    return _("{name} ({kind}) at {url}", name=principal.name, kind=_(principal.kind), url=url)


def _ask_user() -> str:
    if not sys.stdin.isatty():
        return "admin"
    return err().input(_("User") + " [admin]: ").strip() or "admin"


def _read_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidRequest(field="--password-stdin", reason=_("needed, because nobody can be asked here"))
    import getpass

    return getpass.getpass(_("Password") + ": ", stream=sys.stderr)
