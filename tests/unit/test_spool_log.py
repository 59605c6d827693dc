from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from plumber_core.protocol.frames import STDERR, STDOUT, decode_frames
from plumber_core.runner.spool import GIVE_BACK, LogFile, whole_end

MIB = 1024 * 1024


def put(log: LogFile, stream: int, data: bytes) -> None:
    log.append(stream, 5, memoryview(data))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


def test_frames_in_order_and_the_end_is_the_files_length(path: Path) -> None:
    log = LogFile(str(path), MIB)
    put(log, STDOUT, b"one")
    put(log, STDERR, b"\xff\0two")
    log.close()
    assert log.end == path.stat().st_size
    assert [(f.stream, f.data) for f in decode_frames(path.read_bytes())] == [(1, b"one"), (2, b"\xff\0two")]


def test_it_is_full_at_its_cap_and_room_comes_with_acknowledgement(path: Path) -> None:
    log = LogFile(str(path), 100)
    put(log, STDOUT, bytes(91))
    assert log.full
    log.acknowledge(1, False)
    assert not log.full
    log.close()


@pytest.mark.parametrize("kept", [0, 4, 9, 12])
def test_what_the_disk_refuses_is_written_later_and_only_once(
    kept: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogFile(str(path), MIB)
    put(log, STDOUT, b"first")
    really = os.writev

    def refuse(fd: int, parts: Any) -> int:
        if kept == 0:
            raise OSError(errno.ENOSPC, "full")
        return really(fd, [b"".join(map(bytes, parts))[:kept]])

    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", refuse)
        put(log, STDERR, b"second")
        assert log.blocked
        assert log.full
        assert log.end == 14
    assert log.flush()
    put(log, STDOUT, b"third")
    log.close()
    assert [f.data for f in decode_frames(path.read_bytes())] == [b"first", b"second", b"third"]
    assert log.end == path.stat().st_size


def test_acknowledged_bytes_give_their_disk_back(path: Path) -> None:
    log = LogFile(str(path), 64 * MIB)
    for _ in range(48):
        put(log, STDOUT, os.urandom(256 * 1024))
    before = path.stat().st_blocks
    assert log.acknowledge(GIVE_BACK // 2, False) == 0
    end = log.acknowledge(11 * MIB, False)
    assert end == 11 * MIB
    log.give_back(end)
    after = path.stat()
    assert after.st_size == log.end
    assert after.st_blocks * 512 <= before * 512 - 10 * MIB
    log.close()


def test_whole_end_at_every_cut(path: Path) -> None:
    log = LogFile(str(path), MIB)
    ends = [0]
    for data in (b"ab", b"", b"cdefg"):
        put(log, STDOUT, data)
        ends.append(log.end)
    log.close()
    data = path.read_bytes()
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        assert whole_end(str(path), 0) == max(end for end in ends if end <= cut)


def test_whole_end_starts_where_the_disk_was_kept(path: Path) -> None:
    log = LogFile(str(path), MIB)
    put(log, STDOUT, b"gone")
    start = log.end
    put(log, STDOUT, b"kept")
    log.close()
    path.write_bytes(bytes(start) + path.read_bytes()[start:] + b"torn")
    assert whole_end(str(path), start) == log.end
    assert whole_end(str(path.with_name("none")), 0) == 0
