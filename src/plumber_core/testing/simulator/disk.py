"""A disk in memory. What was not synced is lost, kept or torn when the machine crashes, as the seed has it."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Sequence

from plumber_core.runner.disk import Bytes, Disk
from plumber_core.testing.simulator.loop import check_alive

SIZE = 1 << 40
"""Bytes that a disk has, free as long as it is not full."""
BLOCK = 512


class _File:
    """``durable`` is what a crash leaves for sure."""

    __slots__ = ("data", "durable", "reserved")

    def __init__(self) -> None:
        self.data = bytearray()
        self.durable = b""
        self.reserved = 0

    @property
    def room(self) -> int:
        """Bytes that it can still take on a full disk: what was reserved, and the rest of its last block."""
        blocks = -(-len(self.data) // BLOCK) * BLOCK
        return max(blocks, self.reserved) - len(self.data)

    def copy(self) -> _File:
        other = _File()
        other.data, other.durable = bytearray(self.data), self.durable
        return other


class SimulatedDisk(Disk):
    """One machine's disk. When it is ``full``, a file takes what was reserved and what its last block holds: as a real
    one, it cuts a write that does not fit."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._names: dict[str, _File] = {}
        self._durable: dict[str, _File] = {}
        self._open: dict[int, _File] = {}
        self._next = 100
        self.full = False
        self.emptied: set[str] = set()
        """Files that were let go of while it was full."""
        self.torn = 0.0

    def copy(self, chance: random.Random) -> SimulatedDisk:
        """Return what a clone of the machine has on its disk."""
        other = SimulatedDisk(chance)
        other.torn = self.torn
        other._names = {path: file.copy() for path, file in self._names.items()}
        other._durable = dict(other._names)
        return other

    def crash(self) -> None:
        """Lose power: names and bytes that were not synced may be gone, or not, or partly."""
        before, after = self._durable, self._names
        self._names = {
            path: (before if self._chance.random() < 0.5 else after).get(path) or before.get(path, _GONE)
            for path in sorted({*before, *after})
        }
        self._names = {path: file for path, file in self._names.items() if file is not _GONE}
        for file in self._names.values():
            file.data = bytearray(self._left_of(file))
            file.durable = bytes(file.data)
        self._durable = dict(self._names)
        self._open.clear()

    def _left_of(self, file: _File) -> bytes:
        data = bytes(file.data)
        if not data.startswith(file.durable):
            return data if self._chance.random() < 0.5 else file.durable
        sure, whole = len(file.durable), len(data)
        kept = self._chance.choice((sure, whole, self._chance.randint(sure, whole)))
        if self._chance.random() < self.torn:
            # Blocks whose bytes never arrived read as zeros, while what was written later may be there.
            return self._holed(data[:kept], sure)
        return data[:kept]

    def _holed(self, data: bytes, sure: int) -> bytes:
        begin = self._chance.randint(sure, len(data))
        blocks = range(begin // BLOCK + 1, len(data) // BLOCK + 1)
        if not blocks or self._chance.random() < 0.5:
            return data[:begin].ljust(len(data), b"\0")
        begin, end = max(sure, begin // BLOCK * BLOCK), self._chance.choice(blocks) * BLOCK
        return data[:begin].ljust(end, b"\0") + data[end:]

    def content(self, path: str) -> bytes | None:
        """Return a file's bytes, for whoever judges the run."""
        file = self._names.get(path)
        return None if file is None else bytes(file.data)

    def _find(self, path: str) -> _File:
        check_alive()
        file = self._names.get(path)
        if file is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return file

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        check_alive()
        if flags & os.O_CREAT and path not in self._names:
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._names[path] = _File()
        file = self._find(path)
        if flags & os.O_TRUNC:
            file.data.clear()
        self._next += 1
        self._open[self._next] = file
        return self._next

    def close(self, fd: int) -> None:
        check_alive()
        self._open.pop(fd, None)

    def write(self, fd: int, data: Bytes) -> int:
        check_alive()
        file = self._open[fd]
        fits = len(data) if not self.full else min(len(data), file.room)
        if fits < len(data) and not fits:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file.data += data[:fits]
        return fits

    def writev(self, fd: int, pieces: Sequence[Bytes]) -> int:
        return self.write(fd, b"".join(pieces))

    def pread(self, fd: int, length: int, offset: int) -> bytes:
        check_alive()
        return bytes(self._open[fd].data[offset : offset + length])

    def size(self, fd: int) -> int:
        return len(self._open[fd].data)

    def plain_size(self, path: str) -> int | None:
        return len(self._find(path).data)

    def truncate(self, path: str, length: int) -> None:
        del self._find(path).data[length:]
        self._let_go(path)

    def _let_go(self, path: str) -> None:
        if self.full:
            self.emptied.add(path)

    def ftruncate(self, fd: int, length: int) -> None:
        check_alive()
        del self._open[fd].data[length:]

    def restrict(self, fd: int) -> None:
        check_alive()

    def fdatasync(self, fd: int) -> None:
        check_alive()
        file = self._open[fd]
        file.durable = bytes(file.data)

    fsync = fdatasync

    def rename(self, old: str, new: str) -> None:
        self._names[new] = self._find(old)
        del self._names[old]

    def unlink(self, path: str) -> None:
        self._find(path)
        del self._names[path]
        self._let_go(path)

    def make_folder(self, path: str) -> None:
        check_alive()

    def names(self, folder: str) -> list[str]:
        check_alive()
        start = f"{folder}/"
        return sorted(path[len(start) :] for path in self._names if path.startswith(start))

    def read_file(self, path: str, limit: int = -1) -> bytes:
        data = bytes(self._find(path).data)
        return data if limit < 0 else data[:limit]

    def sync_folder(self, path: str) -> None:
        check_alive()
        start = f"{path}/"
        kept = {name: file for name, file in self._durable.items() if not _directly_in(name, start)}
        self._durable = kept | {name: file for name, file in self._names.items() if _directly_in(name, start)}

    def room(self, path: str) -> tuple[int, int]:
        return (0 if self.full else SIZE, SIZE)

    def held(self, folder: str) -> int:
        return sum(len(self._names[f"{folder}/{name}"].data) for name in self.names(folder))

    def scarce(self, path: str) -> bool:
        check_alive()
        return self.full

    def reserve(self, fd: int, start: int, length: int) -> bool:
        check_alive()
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._open[fd].reserved = start + length
        return True

    def give_back(self, fd: int, start: int, length: int) -> bool:
        check_alive()
        return True


_GONE = _File()


def _directly_in(path: str, start: str) -> bool:
    return path.startswith(start) and "/" not in path[len(start) :]
