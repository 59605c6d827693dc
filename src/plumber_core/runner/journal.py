"""The agent's journal: an append-only file of records, each with its checksum, written by the supervisor only.

A record is one line, ``crc32 {json} attempt``: a damaged line never hides the next one, and the attempt's name at
both ends tells whose line it was. What the records mean is the ledger's business.
"""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH104, PTH120, PTH123
from __future__ import annotations

import errno
import json
import os
import re
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from plumber_core.runner import disk
from plumber_core.runner.crash import crash_point

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
    """The open journal. ``dirty`` says that something was written and not made durable yet."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.contents = read_contents(self._read())
        self.size = self.contents.length
        os.ftruncate(self._fd, self.size)
        self.dirty = True
        self._reserved = 0
        self.sync()

    def _read(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    def append(self, *records: Record) -> None:
        """Write records; they survive this process, and the machine after ``sync``.

        Raises:
            OSError: nothing of them was kept.
        """
        data = b"".join(map(encode_record, records))
        written = os.write(self._fd, data)
        if written != len(data):
            os.ftruncate(self._fd, self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.size += written
        self.dirty = True

    def sync(self) -> None:
        """Make everything written so far durable.

        Raises:
            OSError: the disk failed.
        """
        if self.dirty:
            os.fdatasync(self._fd)
            self.dirty = False

    def has_room(self, attempts: int, begin: int) -> bool:
        """Say whether an attempt whose first record has ``begin`` bytes can be sure of room for its exit.

        Beside it ``attempts`` others run, which must not lose theirs.
        """
        needed = begin + EXIT_ROOM * (attempts + 2)
        if self._reserved - self.size >= needed:
            return True
        try:
            wanted = max(RESERVE, needed)
            supported = disk.reserve(self._fd, self.size, wanted)
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
        fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = _write_all(fd, b"".join(map(encode_record, records)))
            os.fsync(fd)
            crash_point("supervisor.compaction_written")
            os.rename(fresh, self.path)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self.size, self._reserved, self.dirty = fd, size, 0, False
        sync_folder(os.path.dirname(self.path))
        crash_point("supervisor.compaction_replaced")

    def close(self) -> None:
        """Make everything durable and close the file."""
        self.sync()
        os.close(self._fd)


def _write_all(fd: int, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return len(data)


def sync_folder(path: str) -> None:
    """Make a folder's names durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
