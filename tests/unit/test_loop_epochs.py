"""A database that has forgotten its last commits is told them again."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.protocol.messages import Ask, Hello, Renew, Renewed, Report
from plumber_core.runner.supervision import ExitInfo, SupervisorGone
from support.fake_supervisor import FakeSupervisor
from support.linked import linked
from support.scripted_server import ScriptedServer
from support.waiting import wait_until


async def test_what_a_database_has_forgotten_is_told_again(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)
        link.hands.prints("a", b"out\n")
        link.hands.exits("a")
        await wait_until(lambda: "forget" in link.hands.verbs("a"))
        first, log = server.of(Report)[-1], bytes(server.logs.pop("a"))
        server.epoch, server.forgotten = 2, 60.0
        server.answers[Renew] = lambda message: Renewed(2, 60.0) if message.epoch == 2 else None
        server.peer.break_off()
        await wait_until(lambda: len(server.of(Report)) == 2)
        again = server.of(Report)[-1]
        assert (again.epoch, again.outcome, bytes(server.logs["a"])) == (2, first.outcome, log)
        told, greeted = server.of(Hello)[-2:]
        assert (told.have, [held.attempt for held in greeted.have]) == ((), ["a"])
        await wait_until(lambda: link.hands.verbs("a").count("forget") == 2)


async def test_a_supervisor_that_dies_while_it_takes_back_what_was_forgotten_is_replaced_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seed 2814: half of an inventory was told as the whole of it, and a step ran a second time."""
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    server.forgotten = 60.0
    for attempt in ("a", "b"):
        hands.kept[attempt] = hands.put(attempt, "exited", ExitInfo("succeeded", exit_code=0))
    hands.records.clear()
    hands.tombstones |= {"a", "b"}

    async def dies_after_the_first(within: float, attempt: str | None = None) -> list[str]:
        hands.records["a"] = hands.kept.pop("a")
        raise SupervisorGone

    monkeypatch.setattr(hands, "revive", dies_after_the_first)
    async with linked(tmp_path, server, hands) as link:
        await link.ready()
        assert sorted(held.attempt for held in server.of(Hello)[-1].have) == ["a", "b"]


async def test_an_answer_of_another_epoch_ends_the_session_although_nobody_else_says_so(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.02)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.epoch = 2
        server.answers[Renew] = lambda message: Renewed(2, 0.02)
        await wait_until(lambda: server.of(Hello)[-1].epoch == 2)


async def test_a_question_about_what_was_forgotten_is_answered_from_what_is_kept(tmp_path: Path) -> None:
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    hands.logs["a"] = bytearray(encode_frame(STDOUT, 1, b"kept\n"))
    hands.kept["a"] = hands.put("a", "exited", ExitInfo("failed", exit_code=3))
    hands.records.clear()
    hands.tombstones.add("a")
    async with linked(tmp_path, server, hands) as link:
        await link.ready()
        server.push(Ask(server.assignment("a", session="an older one")))
        await wait_until(lambda: server.of(Report))
        outcome = server.of(Report)[-1].outcome
        assert (outcome.state, outcome.exit_code, outcome.bytes_stdout) == ("failed", 3, 5)
        assert bytes(server.logs["a"]) == bytes(hands.logs["a"])
