from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from plumber_core.runner import disk
from plumber_core.runner.journal import Journal, decode_line, encode_record, names_in, read_contents
from plumber_core.runner.ledger import Ledger

LIFE: list[dict[str, Any]] = [
    {"attempt": "-", "kind": "attach", "number": 1},
    {"attempt": "a1", "kind": "spawning", "boot": "b", "meta": {"text": "line\nbreak\rand ü"}},
    {"attempt": "a1", "kind": "started", "pid": 7, "ticks": 9},
    {"attempt": "a2", "kind": "spawning", "boot": "b", "meta": {}},
    {"attempt": "a2", "kind": "started", "pid": 8, "ticks": 9},
    {"attempt": "a1", "kind": "exit", "exit": {"state": "succeeded"}, "end": 3},
    {"attempt": "a3", "kind": "void", "boot": "b"},
]
BYTES = b"".join(map(encode_record, LIFE))


def states(records: list[dict[str, Any]], damaged: set[str] = frozenset()) -> dict[str, str]:  # type: ignore[assignment]
    ledger = Ledger()
    for record in records:
        ledger.apply(record)
    ledger.damage(damaged)
    return {name: entry.state for name, entry in ledger.entries.items()}


def test_a_record_is_read_as_it_was_written() -> None:
    assert [decode_line(encode_record(record)[:-1]) for record in LIFE] == LIFE


@pytest.mark.row(31)
def test_torn_at_every_byte_only_the_torn_record_is_missing(tmp_path: Path) -> None:
    for cut in range(len(BYTES) + 1):
        _check_torn(cut, tmp_path / f"journal-{cut}")


def _check_torn(cut: int, path: Path) -> None:
    path.write_bytes(BYTES[:cut])
    journal = Journal(str(path))
    whole = BYTES[:cut].count(b"\n")
    assert journal.contents.records == LIFE[:whole]
    assert journal.contents.damaged == set()
    journal.append(LIFE[-1])
    journal.close()
    assert read_contents(path.read_bytes()).records == [*LIFE[:whole], LIFE[-1]]


@pytest.mark.row(31)
def test_a_flipped_bit_anywhere_hides_nothing_and_invents_nothing() -> None:
    for position in range(len(BYTES)):
        _check_flipped(position)


def _check_flipped(position: int) -> None:
    data = bytearray(BYTES)
    data[position] ^= 1 << (position % 8)
    contents = read_contents(bytes(data))
    assert all(record in LIFE for record in contents.records)
    if contents.length < len(data):
        return  # the last newline was hit: that is a torn record
    known = set(states(contents.records, contents.damaged))
    touched = {line.rsplit(b" ", 1)[1].decode() for line in BYTES.split(b"\n")[:-1]} - {"-"}
    assert touched <= known


def test_a_damaged_line_names_its_attempt_at_either_end() -> None:
    line = encode_record(LIFE[2])[:-1]
    assert names_in(line.replace(b'"attempt":"a1"', b'"attxmpt":"a1"')) == {"a1"}
    assert names_in(line[:-3]) == {"a1"}
    assert names_in(encode_record(LIFE[0])[:-1]) == set()


def test_zeros_after_a_power_cut_are_no_records() -> None:
    contents = read_contents(BYTES + bytes(4096))
    assert contents.records == LIFE
    assert contents.length == len(BYTES)


def test_a_short_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(str(tmp_path / "journal"))
    journal.append(LIFE[0])
    really = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: really(fd, data[: len(data) // 2]))
    with pytest.raises(OSError, match="No space") as caught:
        journal.append(LIFE[1])
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    journal.append(LIFE[2])
    assert read_contents((tmp_path / "journal").read_bytes()).records == [LIFE[0], LIFE[2]]
    journal.close()


def test_room_for_an_exit_is_reserved_without_changing_the_size(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"))
    assert journal.has_room(0, 100)
    status = (tmp_path / "journal").stat()
    assert status.st_size == 0
    assert status.st_blocks * 512 >= 64 * 1024
    journal.close()


def test_no_room_means_no_further_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> bool:
        raise OSError(errno.ENOSPC, "full")

    journal = Journal(str(tmp_path / "journal"))
    monkeypatch.setattr(disk.DISK, "reserve", full)
    assert not journal.has_room(0, 100)
    journal.close()


def test_rewriting_replaces_everything(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"))
    for record in LIFE:
        journal.append(record)
    journal.rewrite(LIFE[-2:])
    journal.append(LIFE[0])
    journal.close()
    assert read_contents((tmp_path / "journal").read_bytes()).records == [*LIFE[-2:], LIFE[0]]
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]


def test_others_cannot_read_it(tmp_path: Path) -> None:
    Journal(str(tmp_path / "journal")).close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600
