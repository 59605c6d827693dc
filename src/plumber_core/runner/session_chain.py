"""The session chain: what an agent must remember across restarts so that a copy of it is detected, not served."""

from __future__ import annotations

import json
import os
from pathlib import Path

from plumber_core.errors import StartupError

FILE_NAME = "session.json"


class SessionChain:
    """Incarnation number, last session's token and last known epoch, in one 0600 file of the state folder.

    Every change is on disk before the call returns: a number or token that was sent must never be sent again
    by an older memory.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE_NAME
        self.incarnation = 0
        self.token: str | None = None
        self.epoch: int | None = None

    def load(self) -> None:
        """Read the file; only the state folder's one link may do so, else it is old before it is used.

        Raises:
            StartupError: it cannot be read; to go on without it would look like an agent that lost its memory.
        """
        try:
            stored = json.loads(self._path.read_bytes())
            self.incarnation = int(stored["incarnation"])
            self.token, self.epoch = stored["token"], stored["epoch"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StartupError(reason=f"{self._path} is damaged: {error}") from error

    def next_incarnation(self) -> int:
        """Return a number higher than any that this state folder ever gave out."""
        self.incarnation += 1
        self._write()
        return self.incarnation

    def remember(self, token: str, epoch: int) -> None:
        """Keep a new session's token and epoch."""
        self.token, self.epoch = token, epoch
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {"incarnation": self.incarnation, "token": self.token, "epoch": self.epoch}
        write_durably(self._path, json.dumps(content).encode())


def write_durably(path: Path, content: bytes) -> None:
    """Replace ``path`` by a 0600 file with ``content``: after a crash there is the old file or the new one."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
