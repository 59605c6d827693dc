"""The agent's journal: an append-only file of records, each with its checksum, written by the supervisor only.

A record is one line, ``crc32 {json} attempt``: a damaged line never hides the next one, and the attempt's name at
both ends tells whose line it was. What the records mean is the ledger's business.
"""

from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from plumber_core.crash import crash_point
from plumber_core.runner.disk import DISK, Disk

Record = dict[str, Any]
NOBODY = "-"
"""Stands where a record is about no attempt."""
RESERVE = 256 * 1024
"""Bytes of disk kept ahead of the end, so that an exit can be written when the disk is full."""
EXIT_ROOM = 8 * 1024
"""What the last records of one attempt may need at most."""
_NAME = re.compile(rb'"attempt":"([0-9A-Za-z_.-]+)"')
_LAST = re.compile(rb" ([0-9A-Za-z_.-]+)$")


def encode_record(record: Record) -> bytes:
    """Return a record, which must name its ``attempt``, as a line."""
    body = json.dumps(record, separators=(",", ":")) + " " + record["attempt"]
    data = body.encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def decode_line(line: bytes) -> Record | None:
    """Return the record in a line without its newline, or None when it is damaged."""
    if line[8:9] != b" ":
        return None
    try:
        if int(line[:8], 16) != zlib.crc32(line[9:]):
            return None
        record = json.loads(line[9 : line.rindex(b" ")])
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def names_in(line: bytes) -> set[str]:
    """Return the attempts that a damaged line may have been about."""
    return {name.decode() for name in (*_NAME.findall(line), *_LAST.findall(line)) if name != NOBODY.encode()}


class Contents(NamedTuple):
    """What a journal holds: good records in order, and the attempts whose records are damaged."""

    records: list[Record]
    damaged: set[str]
    length: int
    """Bytes of whole lines; what follows is a torn record."""


def read_contents(data: bytes) -> Contents:
    """Read a journal's bytes; a torn last record is left out."""
    length = data.rfind(b"\n") + 1
    records: list[Record] = []
    damaged: set[str] = set()
    for line in data[:length].split(b"\n")[:-1]:
        record = decode_line(line)
        if record is None:
            damaged |= names_in(line)
        else:
            records.append(record)
    return Contents(records, damaged, length)


class Journal:
    """The open journal.

    ``dirty`` says that something was written and not made durable yet, ``failing`` that the disk could not do so. After
    that it may have dropped what it was to keep and says nothing the next time: only ``rewrite`` mends it.
    """

    def __init__(self, path: str, disk: Disk = DISK) -> None:
        self.path = path
        self._disk = disk
        self._fd = disk.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.contents = read_contents(disk.read_file(path))
        self.size = self.contents.length
        disk.ftruncate(self._fd, self.size)
        self.dirty = True
        self.failing = False
        self._reserved = 0
        self.sync()
        crash_point("supervisor.journal_opened")

    def append(self, *records: Record) -> None:
        """Write records; they survive this process, and the machine after ``sync``.

        Raises:
            OSError: nothing of them was kept.
        """
        data = b"".join(map(encode_record, records))
        written = self._disk.write(self._fd, data)
        if written != len(data):
            self._disk.ftruncate(self._fd, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written
        self.dirty = True

    def sync(self) -> None:
        """Make everything written so far durable.

        Raises:
            OSError: the disk failed.
        """
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if not self.dirty:
            return
        try:
            self._disk.fdatasync(self._fd)
        except OSError:
            self.failing = True
            raise
        self.dirty = False

    def has_room(self, attempts: int, begin: int) -> bool:
        """Say whether an attempt whose first record has ``begin`` bytes can be sure of room for its exit.

        Beside it ``attempts`` others run, which must not lose theirs.
        """
        if self.failing:
            return False
        needed = begin + EXIT_ROOM * (attempts + 2)
        if self._reserved - self.size >= needed:
            return True
        try:
            wanted = max(RESERVE, needed)
            supported = self._disk.reserve(self._fd, self.size, wanted)
        except OSError:
            return False
        self._reserved = self.size + wanted if supported else 1 << 62
        return True

    def rewrite(self, records: Iterable[Record]) -> None:
        """Replace the whole journal by ``records``, atomically and durably.

        Raises:
            OSError: the old journal stands.
        """
        fresh = self.path + ".new"
        fd = self._disk.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        try:
            size = _write_all(self._disk, fd, b"".join(map(encode_record, records)))
            self._disk.fsync(fd)
            crash_point("supervisor.compaction_written")
            self._disk.rename(fresh, self.path)
        except OSError:
            self._disk.close(fd)
            raise
        self._disk.close(self._fd)
        self._fd, self.size, self._reserved = fd, size, 0
        self.dirty = self.failing = False
        self._disk.sync_folder(self.path.rpartition("/")[0])
        crash_point("supervisor.compaction_replaced")

    def close(self) -> None:
        """Make everything durable and close the file."""
        self.sync()
        self._disk.close(self._fd)


def _write_all(disk: Disk, fd: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[disk.write(fd, view) :]
    return len(data)
