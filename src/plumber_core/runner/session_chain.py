"""The session chain: what an agent must remember across restarts so that a copy of it is detected, not served."""

from __future__ import annotations

import json
import os
from pathlib import Path

from plumber_core.crash import crash_point
from plumber_core.errors import StartupError
from plumber_core.runner.disk import DISK, Disk

FILE_NAME = "session.json"


class SessionChain:
    """Incarnation number, last session's token, last known epoch and the folder's own name, in one 0600 file of it.

    Every change is on disk before the call returns: a number or token that was sent must never be sent again
    by an older memory.
    """

    def __init__(self, state_dir: Path, disk: Disk = DISK) -> None:
        self._path = str(state_dir / FILE_NAME)
        self._disk = disk
        self.incarnation = 0
        self.token: str | None = None
        self.epoch: int | None = None
        self.install = ""

    def load(self) -> None:
        """Read the file; only the state folder's one link may do so, else it is old before it is used.

        Raises:
            StartupError: it cannot be read; to go on without it would look like an agent that lost its memory.
        """
        try:
            stored = json.loads(self._disk.read_file(self._path))
            self.incarnation = int(stored["incarnation"])
            self.token, self.epoch = stored["token"], stored["epoch"]
            self.install = str(stored.get("install", ""))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StartupError(reason=f"{self._path} is damaged: {error}") from error

    def next_incarnation(self, nonce: str) -> int:
        """Return a number higher than any that this state folder ever gave out; a folder without a name of its own has
        ``nonce`` for it from now on."""
        self.incarnation += 1
        self.install = self.install or nonce
        self._write()
        crash_point("link.incarnation_written")
        return self.incarnation

    def remember(self, token: str, epoch: int) -> None:
        """Keep a new session's token and epoch."""
        self.token, self.epoch = token, epoch
        self._write()
        crash_point("link.session_written")

    def _write(self) -> None:
        self._disk.make_folder(self._path.rpartition("/")[0])
        names = ("incarnation", "token", "epoch", "install")
        content = {name: getattr(self, name) for name in names}
        write_durably(self._path, json.dumps(content).encode(), self._disk)


def write_durably(path: Path | str, content: bytes, disk: Disk = DISK) -> None:
    """Replace ``path`` by a 0600 file with ``content``: after a crash there is the old file or the new one."""
    folder, _, name = str(path).rpartition("/")
    draft = f"{folder}/.{name}.new"
    fd = disk.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        disk.restrict(fd)
        view = memoryview(content)
        while view:
            view = view[disk.write(fd, view) :]
        disk.fsync(fd)
    finally:
        disk.close(fd)
    disk.rename(draft, str(path))
    disk.sync_folder(folder or ".")
