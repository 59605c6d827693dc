"""Output of commands becomes lines that are safe to print, whatever the bytes and wherever they were cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.protocol.frames import STDERR, STDOUT, encode_frame
from plumber_core.terminal.gutter import Gutter
from plumber_core.terminal.lines import LONGEST_LINE, Line, LineAssembler
from plumber_core.terminal.sanitise import carriage_returns, sanitise


def lines_of(*pieces: tuple[int, bytes]) -> list[Line]:
    assembler = LineAssembler()
    taken = [line for stream, data in pieces for line in assembler.feed(encode_frame(stream, 0, data))]
    return taken + list(assembler.close())


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_where_frames_are_cut_does_not_change_a_line(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [(STDOUT, data[a:b]) for a, b in pairwise(places)]
    assert lines_of(*pieces) == lines_of((STDOUT, data))


@given(st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")), min_size=1))
def test_every_line_is_there(lines: list[bytes]) -> None:
    taken = lines_of((STDOUT, b"".join(line + b"\n" for line in lines)))
    assert [line.text for line in taken] == [line.decode("utf-8", "replace") for line in lines]


def test_streams_do_not_mix_within_a_line() -> None:
    taken = lines_of((STDOUT, b"ou"), (STDERR, b"warn\n"), (STDOUT, b"t\n"))
    assert taken == [Line(STDERR, "warn"), Line(STDOUT, "out")]


def test_what_has_no_end_of_line_is_shown_at_the_end_and_known_before() -> None:
    assembler = LineAssembler()
    assert list(assembler.feed(encode_frame(STDOUT, 0, b"10%\r55%"))) == []
    assert assembler.partial == "55%"
    assert list(assembler.close()) == [Line(STDOUT, "55%")]
    assert list(assembler.close()) == []


def test_bytes_that_are_no_utf8_are_replaced_once() -> None:
    assert lines_of((STDOUT, b"a\xffb\xe4\xb8")) == [Line(STDOUT, "a\ufffdb\ufffd")]
    assert lines_of((STDOUT, "服".encode()[:2]), (STDOUT, "服".encode()[2:])) == [Line(STDOUT, "服")]


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    taken = lines_of((STDOUT, b"x" * (2 * LONGEST_LINE + 5)))
    assert [len(line.text) for line in taken] == [LONGEST_LINE, LONGEST_LINE, 5]


@pytest.mark.parametrize(
    ("line", "shown"),
    [("a\rb", "b"), ("done\r", "done"), ("10%\r55%\r\r", "55%"), ("plain", "plain"), ("\r", "")],
)
def test_a_progress_bar_shows_its_last_state(line: str, shown: str) -> None:
    assert carriage_returns(line) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b[1;38;5;8mgrey", "\x1b[1;38;5;8mgrey\x1b[0m"),
        ("\x1b[38;2;8;8;8mrgb", "\x1b[38;2;8;8;8mrgb\x1b[0m"),
        ("\x1b[31;8mhidden", "\x1b[31mhidden\x1b[0m"),
        ("\x1b[8mhidden", "hidden"),
        ("\x1b[08mhidden", "hidden"),
        ("\x1b[2Jcleared", "cleared"),
        ("\x1b[10;10Hmoved", "moved"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link", "link"),
        ("\x1b]52;c;ZXZpbA==", ""),
        ("\x1bPdcs\x1b\\x", "x"),
        ("\x1b_apc\x1b\\x", "x"),
        ("\x9b2Jx\x9d0;t\x07y", "xy"),
        ("bell\x07 back\x08space nul\x00", "bell backspace nul"),
        ("\u202etxt.exe\u2066", "txt.exe"),
        ("a\u2028b", "ab"),
        ("a\tb", "a       b"),
        ("\x1bc reset \x1b(0", " reset "),
        ("lone \ud800", "lone "),
        ("cut \x1b[", "cut "),
        ("cut \x1b", "cut "),
        ("中文 ✓ é", "中文 ✓ é"),
    ],
)
def test_a_command_may_colour_its_output_but_not_steer_the_terminal(line: str, shown: str) -> None:
    assert sanitise(line) == shown


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(line: str) -> None:
    shown = sanitise(line, colours=False)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) <= 0x9F for c in shown)


@given(st.text(alphabet="\x1b[]m0123;8:\x07\\a"))
def test_only_colours_are_left(line: str) -> None:
    for sequence in sanitise(line).split("\x1b")[1:]:
        head, m, _ = sequence.partition("m")
        assert m == "m"
        assert set(head[1:]) <= set("0123456789;:")


def test_margins_are_as_wide_as_the_names_and_mark_stderr_without_colour() -> None:
    gutter = Gutter(["web-1", "数据库"], colours=False)
    assert gutter.line("web-1", Line(STDOUT, "out")) == "web-1  │ out"
    assert gutter.line("数据库", Line(STDERR, "err")) == "数据库 ! err"


def test_a_long_name_is_cut_and_a_hostile_one_is_harmless() -> None:
    gutter = Gutter(["x" * 60, "\x1b[2Jevil"], colours=False)
    assert gutter.name("x" * 60) == "x" * 23 + "…"
    assert gutter.name("\x1b[2Jevil").strip() == "evil"


def test_raw_passes_everything_on() -> None:
    assert Gutter(["a"], colours=False, raw=True).line("a", Line(STDOUT, "\x1b[2J")) == "a │ \x1b[2J"
