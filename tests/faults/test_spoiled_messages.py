"""A proxy doubles, delays, reorders, cuts and falsifies what agents and server say to each other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.lab.proxy import REFUSAL, FaultProxy, Faults, Frame
from support.loads import Load
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync
from support.witness import Witness

PAGE = b"<!DOCTYPE html><title>Please log in to this network</title>"
PORTAL = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s" % (len(PAGE), PAGE)


class Spoiled(Load):
    """A server, and an agent that reaches it through a proxy."""

    def __init__(self, server: RunningServer, agent: RunningAgent, proxy: FaultProxy, witness: Witness) -> None:
        super().__init__(server, [agent], witness)
        self.agent, self.proxy = agent, proxy

    def run(self) -> None:
        """Run executions of several steps to their end and check every promise."""
        self.start(seconds=0.05)
        self.prove(180)


@pytest.fixture
def spoiled(
    sqlite_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> Iterator[Callable[[Faults], Spoiled]]:
    """A function that puts an agent behind a proxy with these faults."""
    with ExitStack() as stack:

        def make(faults: Faults) -> Spoiled:
            server = start_server(sqlite_url)
            proxy = stack.enter_context(FaultProxy(int(server.url.rpartition(":")[2]), faults))
            agent = start_agent(server, "one", server_addr=proxy.address)
            return Spoiled(server, agent, proxy, Witness(tmp_path / "witness"))

        yield make


@pytest.mark.row(60)
@pytest.mark.quick
def test_every_message_of_a_held_connection_is_delivered_up_to_20_times(
    spoiled: Callable[[Faults], Spoiled],
) -> None:
    source = random.Random(7)
    lab = spoiled(Faults(frame=lambda frame: [frame.raw] * source.randint(1, 20)))
    lab.run()


@pytest.mark.row(60)
def test_every_request_of_long_poll_is_delivered_up_to_20_times(spoiled: Callable[[Faults], Spoiled]) -> None:
    source = random.Random(7)
    lab = spoiled(Faults(repeat=lambda request: source.choice((1, 2, 20)), upgrade=REFUSAL))
    lab.run()


class Late:
    """Keeps greetings, renewals and reports, and delivers each again after newer ones, on later connections too."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.delivered = 0

    def frame(self, frame: Frame) -> list[bytes]:
        if not frame.to_server or frame.method not in ("hello", "renew", "report"):
            return [frame.raw]
        self.kept.append(frame.raw)
        if len(self.kept) < 8:
            return [frame.raw]
        self.delivered += 1
        return [frame.raw, self.kept.pop(0)]


@pytest.mark.row(61)
def test_greetings_renewals_and_reports_that_arrive_late_change_nothing(
    spoiled: Callable[[Faults], Spoiled],
) -> None:
    late = Late()
    lab = spoiled(Faults(frame=late.frame))
    lab.run()
    for _ in range(2):
        # The greetings of the connections before come up on the next ones.
        seen = late.delivered
        lab.proxy.cut()
        wait_until_sync(lambda seen=seen: late.delivered >= seen + 8, 60, "old messages on a new connection")
    lab.run()
    assert "copy of this agent" not in lab.agent.process.output()


@pytest.mark.row(61, 59)
def test_with_seconds_of_delay_each_way_everything_still_happens_once(spoiled: Callable[[Faults], Spoiled]) -> None:
    lab = spoiled(Faults())
    lab.proxy.faults.delay = 0.5
    lab.run()


@pytest.mark.row(62)
def test_a_proxys_page_instead_of_a_web_socket_is_a_broken_connection(spoiled: Callable[[Faults], Spoiled]) -> None:
    lab = spoiled(Faults())
    lab.proxy.faults.upgrade = PORTAL
    lab.proxy.faults.answer = lambda request, answer: PORTAL
    lab.proxy.cut()
    lab.agent.process.wait_for_output("Not connected", 30)
    lab.proxy.faults.upgrade, lab.proxy.faults.answer = None, Faults().answer
    lab.run()


def cut_short(request: bytes, answer: bytes) -> bytes:
    return answer[: len(answer) // 2]


def wrong_length(request: bytes, answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*lines, b"content-length: %d" % (len(body) + 7)]) + b"\r\n\r\n" + body


def page(request: bytes, answer: bytes) -> bytes:
    return PORTAL


@pytest.mark.row(62)
@pytest.mark.parametrize("spoil", [cut_short, wrong_length, page])
def test_of_five_answers_to_long_poll_one_is_spoiled_and_the_request_is_made_again(
    spoil: Callable[[bytes, bytes], bytes], spoiled: Callable[[Faults], Spoiled]
) -> None:
    lab = spoiled(Faults(upgrade=REFUSAL))
    source, spoiled_ones = random.Random(7), []

    def now_and_then(request: bytes, answer: bytes) -> bytes:
        if source.random() > 0.2:
            return answer
        spoiled_ones.append(request)
        return spoil(request, answer)

    lab.proxy.faults.answer = now_and_then
    lab.run()
    assert len(spoiled_ones) > 5
