from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from plumber_core.runner.channel import Channel
from plumber_core.runner.wire import Decoder, encode


def test_messages_survive_any_cut() -> None:
    messages = [{"id": 1, "env": {"A": "\udcff ü"}}, {"event": "grew", "end": 1 << 40}]
    data = b"".join(map(encode, messages))
    for cut in range(len(data) + 1):
        decoder = Decoder()
        assert [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])] == messages


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x01{"])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(Decoder().feed(data))


class _Reactor:
    """Notes who wants to write, and calls nobody."""

    def __init__(self) -> None:
        self.wanted: list[bool] = []
        self.ready: Callable[[], None] = lambda: None

    def add(self, fd: int, handler: Callable[[], None]) -> None:
        self.ready = handler

    def want_writing(self, fd: int, wanted: bool) -> None:
        self.wanted.append(wanted)

    def remove(self, fd: int) -> None:
        """Nothing to forget."""


def test_what_is_said_to_one_piece_of_messages_goes_out_in_one_piece() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    reactor = _Reactor()

    def answer(channel: Channel, message: dict[str, Any]) -> None:
        channel.send({"id": message["id"]})
        channel.send({"event": message["id"]})

    with ours, theirs:
        channel = Channel(ours, reactor, answer, lambda channel: None)  # type: ignore[arg-type]
        theirs.send(encode({"id": 1}) + encode({"id": 2}))
        reactor.ready()
        heard = list(Decoder().feed(theirs.recv(65536)))
        assert heard == [{"id": 1}, {"event": 1}, {"id": 2}, {"event": 2}]
        channel.send({"event": 3})
        assert list(Decoder().feed(theirs.recv(65536))) == [{"event": 3}], "outside of an answer at once"
        assert reactor.wanted == [], "the kernel is asked for nothing while the other end reads"
