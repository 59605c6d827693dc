"""Files of settled attempts, emptied and kept for the next ones.

ext4 looks through everything that was deleted in the last seconds whenever it makes a file: at a hundred steps a
second, making and deleting two files a step cost three times as much as all else that the supervisor does.
"""

from __future__ import annotations

import contextlib
import os

from plumber_core.crash import crash_point
from plumber_core.runner.disk import DISK, Disk

FOLDER = "spares"
KEPT = 64


class Spares:
    """A few empty files in a folder of their own, which is emptied at the start."""

    def __init__(self, folder: str, disk: Disk = DISK) -> None:
        self._disk = disk
        self._folder = f"{folder}/{FOLDER}"
        self._free: list[str] = []
        self._made = 0
        disk.make_folder(self._folder)
        for name in disk.names(self._folder):
            disk.unlink(f"{self._folder}/{name}")
            crash_point("supervisor.spare_removed")

    def take(self, path: str) -> None:
        """Put an empty file, readable for this user only, at ``path``, where there is none.

        Raises:
            OSError: it cannot be made.
        """
        if self._free:
            with contextlib.suppress(OSError):
                self._disk.rename(self._free.pop(), path)
                return crash_point("supervisor.spare_taken")
        return self._disk.close(self._disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))

    def discard(self, spool: str, attempt: str, *, shared: bool) -> None:
        """Remove an attempt's files; never raises, what stays is only disk.

        Args:
            spool: their folder.
            attempt: whose they are.
            shared: whether processes of the attempt may still have them open: they are never used again then.
        """
        for suffix in (".log", ".out", ".script"):
            path = f"{spool}/{attempt}{suffix}"
            with contextlib.suppress(OSError):
                if shared or len(self._free) >= KEPT or not self._keep(path):
                    self._disk.unlink(path)
            crash_point("supervisor.file_removed")

    def written(self, path: str) -> int:
        """Return how many bytes a command has written to a file; 0 when it has made something else of it."""
        try:
            return self._disk.plain_size(path) or 0
        except OSError:
            return 0

    def reclaim(self, path: str) -> None:
        """Take back a file in which nothing was written and that nobody has open; never raises."""
        with contextlib.suppress(OSError):
            if len(self._free) < KEPT and self._disk.plain_size(path) == 0:
                self._keep(path)

    def _keep(self, path: str) -> bool:
        """Empty a file and put it aside, unless a command has made something else of it."""
        size = self._disk.plain_size(path)
        if size is None:
            return False
        if size:
            self._disk.truncate(path, 0)
        self._made += 1
        spare = f"{self._folder}/{self._made}"
        self._disk.rename(path, spare)
        crash_point("supervisor.spare_kept")
        self._free.append(spare)
        return True
