"""After a loss of power a log holds zeros where blocks were never written: none of them is taken for output."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumber_core.protocol.frames import HEADER, STDERR, STDOUT, encode_frame
from plumber_core.protocol.messages import Report
from plumber_core.runner.supervision import ExitInfo, Record
from plumber_core.runner.torn import SECTOR, frames_left, sure_length
from support.fake_supervisor import FakeSupervisor
from support.linked import linked
from support.scripted_server import ScriptedServer
from support.waiting import wait_until

ONE, TWO = encode_frame(STDOUT, 1, b"one\n"), encode_frame(STDERR, 2, b"two" * 1000)


def sure(file: bytes, offset: int = 0, size: int | None = None) -> int:
    """What the link makes of bytes that it has read from such a file."""
    data = file[offset:][:size]
    length = frames_left(data)
    return sure_length(data[:length], offset, file[offset + length : offset + length + 1])


def test_a_frame_whose_end_was_never_written_is_left_out() -> None:
    for kept in range(len(ONE), len(ONE + TWO)):
        file = (ONE + TWO)[:kept].ljust(len(ONE + TWO), b"\0")
        assert sure(file) == len(ONE), kept
        assert sure(file.ljust(9000, b"\0")) == len(ONE), kept


def test_what_is_whole_is_kept() -> None:
    assert sure(ONE + TWO) == len(ONE + TWO)
    assert sure(ONE + TWO, offset=len(ONE)) == len(TWO)
    assert sure(ONE + TWO[:-1]) == len(ONE), "a frame that was cut is no frame"
    assert sure(b"") == 0


def test_zeros_that_a_command_printed_are_kept_where_they_can_be_told_from_holes() -> None:
    zeros = encode_frame(STDOUT, 1, b"name\0" * 3)
    assert sure(zeros + ONE) == len(zeros + ONE)
    assert sure(zeros + ONE, size=len(zeros)) == len(zeros), "the header behind it is looked at"
    assert sure(zeros) == 0, "its last byte may never have been written"
    short = encode_frame(STDOUT, 1, b"a" + bytes(SECTOR) + b"b")
    assert sure(short) == len(short), "no whole sector of the file"


def test_a_frame_with_a_hole_in_its_middle_is_left_out() -> None:
    before = encode_frame(STDOUT, 1, b"-" * (SECTOR - 2 * HEADER.size))
    holed = encode_frame(STDOUT, 2, bytes(SECTOR) + b"rest")
    assert len(before) + HEADER.size == SECTOR
    assert sure(before + holed + ONE) == len(before)
    assert sure(before + holed + ONE, offset=len(before)) == 0


@pytest.mark.parametrize("left", [b"", ONE])
async def test_what_a_power_failure_left_of_a_log_is_sent_up_to_where_it_may_be_torn(
    tmp_path: Path, left: bytes
) -> None:
    """Found by the simulator: the zeros at the end of a file were told as what a command had printed."""
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    whole = len(left + TWO)
    hands.logs["a"] = bytearray((left + TWO)[: whole - 900].ljust(whole + SECTOR, b"\0"))
    hands.records["a"] = Record("a", "exited", "another boot", whole, ExitInfo("succeeded", 0), {})
    async with linked(tmp_path, server, hands):
        await wait_until(lambda: "forget" in hands.verbs("a"))
    assert bytes(server.logs.get("a", b"")) == left
    outcome = server.of(Report)[0].outcome
    assert (outcome.state, outcome.log_end, outcome.sha256_stdout) == ("succeeded", whole, ""), "the rest is missed"
