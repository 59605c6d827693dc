"""One attempt's log file: frames appended in arrival order, acknowledged bytes given back to the disk.

The file's length is the log's offset, so any reader can follow it by path. A write that the disk refuses is kept and
tried again; until it went through the log counts as full, and nobody reads the command's pipes.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from plumber_core.protocol.frames import HEADER, MAX_FRAME, STREAM_NAMES
from plumber_core.runner.disk import DISK, Disk

GIVE_BACK = 8 * 1024 * 1024
"""Acknowledged bytes that are freed at once: each time costs a sync of the journal."""
_BLOCK = 4096


class LogFile:
    """An attempt's log, a file from its first byte on. ``end`` counts its whole frames, ``acked`` what the server has.

    Args:
        path: where it lies.
        cap: bytes that the server does not have from which on it is full.
        disk: the machine's.
        make: puts an empty file at the path.
    """

    def __init__(self, path: str, cap: int, disk: Disk = DISK, make: Callable[[str], None] = lambda path: None) -> None:
        self._path, self._disk, self._make = path, disk, make
        self._fd: int | None = None
        self.cap = cap
        self.end = self.acked = 0
        self._freed = 0
        self._rest = b""
        self._rest_end = 0

    def _opened(self) -> int:
        if self._fd is None:
            self._make(self._path)
            self._fd = self._disk.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        return self._fd

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
            written = self._disk.writev(self._opened(), (header, data))
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
                self._rest = self._rest[self._disk.write(self._opened(), self._rest) :]
            except OSError:
                return False
            if not self._rest:
                self.end = self._rest_end
        return True

    def acknowledge(self, end: int, at_once: bool) -> int:
        """Note that the server has all below ``end``; return up to where disk may be given back, or 0.

        ``at_once`` says that little is worth the while, too.
        """
        self.acked = max(self.acked, min(end, self.end))
        aligned = self.acked // _BLOCK * _BLOCK
        return aligned if aligned - self._freed >= (_BLOCK if at_once else GIVE_BACK) else 0

    def give_back(self, end: int) -> None:
        """Free the disk below ``end``; never raises, the bytes merely stay."""
        try:
            self._disk.give_back(self._opened(), self._freed, end - self._freed)
        except OSError:
            return
        self._freed = end

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            self._disk.close(self._fd)


def whole_end(path: str, start: int, disk: Disk = DISK) -> int:
    """Return the end of the last whole frame of a log whose bytes below the frame boundary ``start`` may be freed."""
    try:
        fd = disk.open(path, os.O_RDONLY)
    except OSError:
        return 0
    try:
        return _walk(disk, fd, start, disk.size(fd))
    finally:
        disk.close(fd)


def _walk(disk: Disk, fd: int, position: int, size: int) -> int:
    while position + HEADER.size <= size:
        stream, _, length = HEADER.unpack(disk.pread(fd, HEADER.size, position))
        if stream not in STREAM_NAMES or length > MAX_FRAME or position + HEADER.size + length > size:
            break
        position += HEADER.size + length
    return min(position, size)
