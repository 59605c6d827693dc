"""What one attempt has to hide: told by its executor host, kept out of its log and of what it hands on."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from plumber_core.runner.disk import Disk
from plumber_core.runner.masks import Masks

if TYPE_CHECKING:
    from plumber_core.runner.processes import Processes

MASKS_VARIABLE = "PLUMBER_MASKS"
"""Tells the executor host on which descriptor it is listened to."""
LARGEST_OUTPUT = 64 * 1024
"""``limits.MAX_OUTPUT_VALUES``, which the supervisor does not load: a larger file is not handed on anyway."""
PIECE = 64 * 1024
"""Read at once: with what was held back, and masks that are longer than what they hide, it still fits a frame."""


class Hiding:
    """``masks`` is None until the host has told everything; ``fd`` is where it does."""

    def __init__(self, fd: int, disk: Disk) -> None:
        self.fd = fd
        self.masks: Masks | None = None
        self.buffer = bytearray(PIECE)
        self._disk = disk
        self._told = b""

    def hear(self, processes: Processes, buffer: bytearray) -> bool:
        """Read what the host tells; say whether that was all."""
        while True:
            try:
                count = processes.read(self.fd, buffer)
            except BlockingIOError:
                return False
            if count == 0:
                return True
            self._told += bytes(buffer[:count])

    def settle(self) -> None:
        """Hide what was told from now on."""
        self.masks, self._told = Masks.read(self._told), b""

    def shown(self, stream: int, count: int) -> memoryview:
        """Return what may be shown of the bytes that were just read into ``buffer``."""
        assert self.masks is not None, "output is read after this is known"
        return memoryview(self.masks.feed(stream, bytes(self.buffer[:count])))

    def rest(self, stream: int) -> memoryview:
        """Return what was held back of a stream that has ended."""
        return memoryview(self.masks.rest(stream) if self.masks is not None else b"")

    def cleanse(self, path: str) -> None:
        """Take secrets out of a file of outputs."""
        if self.masks is None:
            return
        with contextlib.suppress(OSError):
            if not 0 < (self._disk.plain_size(path) or 0) <= LARGEST_OUTPUT:
                return
            content = self._disk.read_file(path)
            clean = self.masks.of_whole(content)
            if clean != content:
                self._rewrite(path, clean)

    def _rewrite(self, path: str, content: bytes) -> None:
        fd = self._disk.open(path, os.O_WRONLY | os.O_TRUNC)
        try:
            self._disk.write(fd, content)
        finally:
            self._disk.close(fd)
