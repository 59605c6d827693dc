"""Greeting, the session chain, coming back, and stopping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plumber_core.errors import AgentCopied
from plumber_core.protocol.messages import ExecutorInfo, Goodbye, Hello, Renew, Welcome
from plumber_core.protocol.peer import Disconnected, Refused, SessionOver
from plumber_core.runner.session_chain import FILE_NAME
from support.linked import linked
from support.scripted_server import ScriptedServer
from support.waiting import wait_until


def stored(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((folder / FILE_NAME).read_bytes())
    return value


async def test_first_greeting_learns_the_epoch_and_keeps_the_session(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server, slots=3, facts={"os": "linux"}, version="1.2.3") as link:
        await link.ready()
        first, second = server.of(Hello)
        assert (first.epoch, second.epoch) == (None, 1)
        assert second.incarnation > first.incarnation
        assert (second.slots, second.facts, second.version) == (3, {"os": "linux"}, "1.2.3")
        assert [executor.kind for executor in second.executors] == ["shell"]
        assert second.install and second.install == first.install
        remembered = {"incarnation": second.incarnation, "token": server.peer.session, "epoch": 1}
        assert stored(tmp_path) == {**remembered, "install": second.install}
        assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


async def test_session_token_is_on_disk_before_the_session_is_used(tmp_path: Path) -> None:
    server = ScriptedServer()
    kept: list[str] = []
    server.answers[Renew] = lambda message: kept.append(stored(tmp_path)["token"] == message.session)
    async with linked(tmp_path, server) as link:
        await link.ready()
        assert kept[0]


async def test_chain_goes_on_over_reconnects_and_restarts(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready(1)
        first = server.peer.session
        server.peer.break_off()
        await link.ready(2)
        second = server.peer.session
    async with linked(tmp_path, server) as link:
        await link.ready(3)
    greetings = server.of(Hello)
    assert [hello.token for hello in greetings] == [None, None, first, second]
    assert [hello.incarnation for hello in greetings] == [1, 2, 3, 4]
    assert len({hello.nonce for hello in greetings}) == 4


async def test_repeat_after_a_lost_welcome_is_the_same_greeting(tmp_path: Path) -> None:
    server = ScriptedServer()
    lost: list[Hello] = []

    def lose_first(message: Hello) -> None:
        if message.epoch is not None and not lost:
            lost.append(message)
            raise Disconnected("lost")

    server.answers[Hello] = lose_first
    async with linked(tmp_path, server) as link:
        await link.ready()
        _, first, second = server.of(Hello)
        assert (first.incarnation, first.nonce, first.token) == (second.incarnation, second.nonce, second.token)


async def test_first_try_after_a_lost_server_is_quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        waited: list[float] = []
        usual = link.loop._backoff.next
        monkeypatch.setattr(link.loop._backoff, "next", lambda: waited.append(usual()) or waited[-1])
        server.peer.break_off()
        await link.ready(2)
        assert waited[0] <= 0.2


async def test_goodbye_names_when_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        monkeypatch.setattr(link.loop._backoff, "next", lambda: pytest.fail("the server named the delay"))
        server.push(Goodbye(0.01))
        await link.ready(2)
        assert server.peers[0].closed


async def test_session_over_greets_again_on_the_same_connection(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.01)
    ended: list[Renew] = []

    def end_once(message: Renew) -> None:
        if message.beat == 3 and not ended:
            ended.append(message)
            raise SessionOver("another replica knows better")

    server.answers[Renew] = end_once
    async with linked(tmp_path, server) as link:
        await link.ready(2)
        assert len(server.peers) == 1
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)


async def test_renewal_without_an_answer_means_a_dead_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumber_core.runner.sessions.ANSWER_WITHIN", 0.05)
    server = ScriptedServer(heartbeat=0.01)
    async with linked(tmp_path, server) as link:
        await link.ready()
        silent = server.peer

        async def never(_: Renew) -> Any:
            import asyncio

            await asyncio.Event().wait()

        silent.renew = never  # type: ignore[method-assign]
        await link.ready(2)
        assert silent.closed


async def test_refused_credential_ends_the_run(tmp_path: Path) -> None:
    server = ScriptedServer()

    def refuse(_: Hello) -> None:
        raise Refused("revoked")

    server.answers[Hello] = refuse
    with pytest.raises(Refused):
        async with linked(tmp_path, server) as link:
            await link.task
    assert link.hands.detached


async def test_restored_image_ends_the_run(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers[Hello] = lambda _: Welcome("stale", 1)
    with pytest.raises(AgentCopied):
        async with linked(tmp_path, server) as link:
            await link.task


async def test_live_copy_waits_for_an_operator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = ScriptedServer()
    server.answers[Hello] = lambda _: Welcome("conflict", 1)
    async with linked(tmp_path, server):
        await wait_until(lambda: server.of(Hello))
        await wait_until(lambda: "another copy" in caplog.text)
        assert len(server.of(Hello)) == 1


async def test_stop_leaves_commands_to_their_supervisor_and_kill_does_not(tmp_path: Path) -> None:
    for kill in (False, True):
        async with linked(tmp_path, ScriptedServer()) as link:
            await link.ready()
            link.loop.stop(kill=kill)
            await link.task
            assert (link.hands.detached, link.hands.killed) == (True, kill)
            assert link.server.peer.closed


async def test_stop_ends_the_wait_for_a_server_that_is_away(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.reachable = False
    async with linked(tmp_path, server) as link:
        await wait_until(lambda: link.supervisors)
        link.loop.stop()
        await link.task


async def test_executors_are_announced_when_they_are_known(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.01)

    async def describe() -> tuple[ExecutorInfo, ...]:
        return (ExecutorInfo("shell"), ExecutorInfo("script"))

    async with linked(tmp_path, server, describe=describe) as link:
        await wait_until(lambda: any(renew.executors for renew in server.of(Renew)))
        (news,) = [renew.executors for renew in server.of(Renew) if renew.executors is not None]
        assert [executor.kind for executor in news] == ["shell", "script"]
        server.peer.break_off()
        await link.ready(2)
        assert [executor.kind for executor in server.of(Hello)[-1].executors] == ["shell", "script"]


async def test_a_fault_of_this_program_costs_one_connection(tmp_path: Path) -> None:
    server = ScriptedServer()
    faults = [ZeroDivisionError("bug")]

    def fail_once(_: Renew) -> None:
        if faults:
            raise faults.pop()

    server.answers[Renew] = fail_once
    async with linked(tmp_path, server) as link:
        await link.ready(2)
        assert len(server.peers) == 2
