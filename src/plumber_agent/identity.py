"""agent.json: who this agent is, and the credential that proves it."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from plumber_core.crash import crash_point
from plumber_core.errors import StartupError
from plumber_core.runner.session_chain import write_durably

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
"""An id names a folder too, so it must not be able to leave it."""


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """The content of agent.json."""

    id: str
    token: str
    server_addr: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            StartupError: it is missing, unreadable or not an agent.json.
        """
        try:
            value = json.loads(path.read_bytes())
        except OSError as error:
            raise StartupError(reason=f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise StartupError(reason=f"{path} is not JSON: {error}") from None
        return cls._checked(path, value)

    @classmethod
    def _checked(cls, path: Path, value: Any) -> Self:
        names = ("id", "token", "server_addr")
        if not isinstance(value, dict) or not all(isinstance(value.get(name), str) and value[name] for name in names):
            raise StartupError(reason=f'{path} needs "id", "token" and "server_addr"')
        if not _ID.match(value["id"]):
            raise StartupError(reason=f"{path}: the id holds characters that no id has")
        if not value["token"].isascii() or not value["token"].isprintable():
            raise StartupError(reason=f"{path}: the token holds characters that no token has")
        return cls(*(value[name] for name in names))

    def write(self, path: Path) -> None:
        """Write the file, readable for its owner only.

        Raises:
            StartupError: it cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, json.dumps(asdict(self), indent=2).encode() + b"\n")
            crash_point("link.identity_written")
        except OSError as error:
            raise StartupError(reason=f"{path}: {error.strerror}") from error

    def state_dir(self) -> Path:
        """Return where this agent keeps its state unless told otherwise: by user and agent, never by workdir."""
        return _state_home() / "plumber" / "agents" / self.id


def _state_home() -> Path:
    if configured := os.environ.get("XDG_STATE_HOME"):
        return Path(configured)
    return Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "state"
