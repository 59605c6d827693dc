"""One attempt's log file: frames appended in arrival order, acknowledged bytes given back to the disk.

The file's length is the log's offset, so any reader can follow it by path. A write that the disk refuses is kept and
tried again; until it went through the log counts as full, and nobody reads the command's pipes.
"""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH108
from __future__ import annotations

import contextlib
import os

from plumber_core.protocol.frames import HEADER, MAX_FRAME, STREAM_NAMES
from plumber_core.runner import disk

GIVE_BACK = 8 * 1024 * 1024
"""Acknowledged bytes that are freed at once: each time costs a sync of the journal."""
_BLOCK = 4096


class LogFile:
    """An attempt's open log. ``end`` counts whole frames in the file, ``acked`` what the server has."""

    def __init__(self, path: str, cap: int) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.cap = cap
        self.end = self.acked = 0
        self._freed = 0
        self._rest = b""
        self._rest_end = 0

    @property
    def blocked(self) -> bool:
        """Whether the disk refused bytes that must be written first."""
        return bool(self._rest)

    @property
    def full(self) -> bool:
        """Whether nothing more may be read from the command now."""
        return bool(self._rest) or self.end - self.acked >= self.cap

    def append(self, stream: int, milliseconds: int, data: memoryview) -> None:
        """Append one frame; never raises, see ``blocked``."""
        header = HEADER.pack(stream, min(milliseconds, 0xFFFFFFFF), len(data))
        total = len(header) + len(data)
        try:
            written = os.writev(self._fd, (header, data))
        except OSError:
            written = 0
        if written == total:
            self.end += total
        else:
            self._rest = (header + bytes(data))[written:]
            self._rest_end = self.end + total

    def flush(self) -> bool:
        """Try again what the disk refused; say whether nothing is left of it."""
        while self._rest:
            try:
                self._rest = self._rest[os.write(self._fd, self._rest) :]
            except OSError:
                return False
            if not self._rest:
                self.end = self._rest_end
        return True

    def acknowledge(self, end: int) -> int:
        """Note that the server has all below ``end``; return up to where disk may be given back, or 0."""
        self.acked = max(self.acked, min(end, self.end))
        aligned = self.acked // _BLOCK * _BLOCK
        return aligned if aligned - self._freed >= GIVE_BACK else 0

    def give_back(self, end: int) -> None:
        """Free the disk below ``end``; never raises, the bytes merely stay."""
        try:
            disk.give_back(self._fd, self._freed, end - self._freed)
        except OSError:
            return
        self._freed = end

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def whole_end(path: str, start: int) -> int:
    """Return the end of the last whole frame of a log whose bytes below the frame boundary ``start`` may be freed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return _walk(fd, start, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def _walk(fd: int, position: int, size: int) -> int:
    while position + HEADER.size <= size:
        stream, _, length = HEADER.unpack(os.pread(fd, HEADER.size, position))
        if stream not in STREAM_NAMES or length > MAX_FRAME or position + HEADER.size + length > size:
            break
        position += HEADER.size + length
    return min(position, size)


def discard(folder: str, attempt: str) -> None:
    """Remove an attempt's files; never raises, what stays is only disk."""
    for suffix in (".log", ".out", ".script"):
        with contextlib.suppress(OSError):
            os.unlink(f"{folder}/{attempt}{suffix}")
