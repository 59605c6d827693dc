"""Enrolment: a one-time token becomes this server's own agent.json."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path

from plumber_agent.address import ServerAddress
from plumber_agent.identity import AgentIdentity
from plumber_core.errors import MissingExtra, StartupError

MAX_TOKEN = 4096


def enroll(url: str, name: str, config: Path, token_variable: str) -> AgentIdentity:
    """Redeem the token and write ``config``, which must not exist yet.

    Raises:
        PlumberError: nothing was written; the token may be used up only if the server said yes.
    """
    if config.exists():
        raise StartupError(reason=f"{config} exists already; remove it or name another --config")
    address = str(ServerAddress.parse(url))
    identity = _redeem(address, name, _token(token_variable))
    identity.write(config)
    return identity


def _token(variable: str) -> str:
    """Read the token from where no process list shows it."""
    token = os.environ.get(variable, "")
    if not token:
        token = getpass.getpass("Enrolment token: ") if sys.stdin.isatty() else sys.stdin.read(MAX_TOKEN)
    if not token.strip():
        raise StartupError(reason=f"the enrolment token is missing: set {variable} or give it on standard input")
    return token.strip()


def _redeem(address: str, name: str, token: str) -> AgentIdentity:
    try:
        from plumber_client import Client
    except ModuleNotFoundError:
        raise MissingExtra(feature="enrolment", extra="agent") from None
    with Client(address) as plumber:
        answer = plumber.agents.redeem(token=token, name=name, server_addr=address)
    return AgentIdentity(answer.id, answer.token, answer.server_addr)
