from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.engine import digests
from plumber_core.engine.digests import LARGE, Digests
from plumber_core.protocol.frames import STDERR, STDOUT, SYSTEM, decode_frames, encode_frame, newlines

OUT, ERR = b"to standard output\n", b"and to the other one\n"
LOG = encode_frame(STDOUT, 1, OUT) + encode_frame(STDERR, 2, ERR)
CUT = len(encode_frame(STDOUT, 1, OUT))


def same(known: Digests, attempt: str = "a", end: int = len(LOG)) -> bool | None:
    digest = known.take(attempt, end)
    return digest and digest.matches(hashlib.sha256(OUT).hexdigest(), hashlib.sha256(ERR).hexdigest())


@pytest.mark.parametrize("cuts", [(0, len(LOG)), (0, CUT, len(LOG))])
async def test_a_log_that_came_in_order_is_known(cuts: tuple[int, ...]) -> None:
    known = Digests()
    for start, stop in pairwise(cuts):
        await known.follow([("a", start, LOG[start:stop])])
        known.agree({"a": stop})
    assert same(known)
    assert same(known) is None


async def test_one_that_differs_does_not_match() -> None:
    known = Digests()
    await known.follow([("a", 0, LOG[:CUT]), ("a", CUT, encode_frame(STDERR, 2, b"something else"))])
    digest = known.take("a", CUT + len(encode_frame(STDERR, 2, b"something else")))
    assert digest is not None
    assert not digest.matches(hashlib.sha256(OUT).hexdigest(), hashlib.sha256(ERR).hexdigest())


async def test_a_log_whose_beginning_was_not_seen_is_not_known() -> None:
    known = Digests()
    await known.follow([("a", CUT, LOG[CUT:])])
    assert same(known) is None


async def test_a_log_that_the_database_holds_otherwise_is_forgotten() -> None:
    known = Digests()
    await known.follow([("a", 0, LOG[:CUT]), ("b", 0, LOG)])
    known.agree({"a": 0, "b": len(LOG)})
    await known.follow([("a", CUT, LOG[CUT:])])
    assert same(known) is None
    assert same(known, "b")


async def test_large_chunks_are_hashed_too() -> None:
    known = Digests()
    data = b"x" * LARGE
    log = encode_frame(STDOUT, 1, data)
    await known.follow([("a", 0, log)])
    digest = known.take("a", len(log))
    assert digest is not None
    assert digest.matches(hashlib.sha256(data).hexdigest(), "")


async def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "KEPT", 2)
    known = Digests()
    for attempt in ("a", "b"):
        await known.follow([(attempt, 0, LOG[:CUT])])
    await known.follow([("a", CUT, LOG[CUT:]), ("c", 0, LOG)])
    assert [same(known, attempt) for attempt in "abc"] == [True, None, True]


@given(
    st.lists(
        st.tuples(st.sampled_from([STDOUT, STDERR, SYSTEM]), st.sampled_from([0, 10, 2600]), st.binary(max_size=2600))
    )
)
def test_newlines_are_those_of_the_payload(frames: list[tuple[int, int, bytes]]) -> None:
    """A header may hold the byte of a newline, as a time of 10 ms or a length does."""
    log = b"".join(encode_frame(*frame) for frame in frames)
    assert newlines(log) == sum(frame.data.count(b"\n") for frame in decode_frames(log))
