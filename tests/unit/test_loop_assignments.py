"""An assigned attempt is started once, within its permit, or proven never to start."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from plumber_core.errors import NotFound, SpoolUnwritable
from plumber_core.protocol.messages import Ask, Assignment, Cancel, NeverRan, Permit, Renew, Report, Start
from plumber_core.runner.supervision import boottime
from support.fake_supervisor import FakeSupervisor
from support.linked import linked
from support.scripted_server import ScriptedServer, step
from support.waiting import wait_until


async def test_short_form_spawns_within_the_permit_of_its_renewal(tmp_path: Path) -> None:
    server = ScriptedServer(permit_ttl=7.0)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a", step("echo hi"))
        await wait_until(lambda: "a" in link.hands.commands)
        until = link.hands.permits["a"]
        assert until is not None
        assert boottime() + 5 < until <= boottime() + 7
        assert link.hands.commands["a"].argv == ("/bin/sh", "-e", "-c", "echo hi")
        assert server.of(Start) == []


async def test_permit_counts_from_the_sending_of_the_renewal_not_from_receipt(tmp_path: Path) -> None:
    server = ScriptedServer(permit_ttl=0.0)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: server.of(Start))


async def test_unknown_renewal_takes_the_long_form(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a", beat=99)
        await wait_until(lambda: "a" in link.hands.commands)
        assert [message.attempt for message in server.of(Start)] == ["a"]


@pytest.mark.parametrize("answer", ["gone", "other"])
async def test_no_leave_is_answered_with_proof(tmp_path: Path, answer: Any) -> None:
    server = ScriptedServer()
    server.answers[Start] = lambda _: Permit(answer)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a", permit=False)
        await wait_until(lambda: server.of(NeverRan))
        assert server.of(NeverRan)[0].reason == answer
        assert link.hands.verbs("a")[0] == "void"
        assert "a" not in link.hands.commands


async def test_void_record_is_written_before_the_proof_is_sent(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        states: list[str] = []
        server.answers[NeverRan] = lambda _: states.append(link.hands.records["a"].state)
        server.push(Ask(server.assignment("a", session="another")))
        await wait_until(lambda: states)
        assert states == ["void"]
        await wait_until(lambda: "forget" in link.hands.verbs("a"))


async def test_assignment_of_another_session_or_epoch_is_ignored(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a", session="another")
        server.assign("b", epoch=9)
        server.assign("c")
        await wait_until(lambda: "c" in link.hands.commands)
        assert set(link.hands.commands) == {"c"}
        assert server.of(NeverRan) == []


async def test_repeated_assignment_spawns_once(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        for _ in range(3):
            server.assign("a")
        server.push(Ask(server.assignment("a")))
        server.assign("b")
        await wait_until(lambda: "b" in link.hands.commands)
        assert link.hands.verbs("a").count("spawn") == 1


async def test_asked_about_an_unknown_attempt_of_this_session_starts_it(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.push(Ask(server.assignment("a")))
        await wait_until(lambda: "a" in link.hands.commands)


async def test_asked_with_a_cancel_gives_the_attempt_back(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.push(Ask(server.assignment("a", cancel=True)))
        await wait_until(lambda: server.of(NeverRan))
        assert link.hands.verbs("a") == ["void", "forget"]


async def test_asked_again_about_a_void_attempt_proves_again(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        question = Ask(server.assignment("a", session="another"))
        server.push(question)
        await wait_until(lambda: "forget" in link.hands.verbs("a"))
        server.push(question)
        await wait_until(lambda: len(server.of(NeverRan)) == 2)


async def test_late_question_about_a_finished_attempt_starts_nothing(tmp_path: Path) -> None:
    """The question was asked before the report was committed, and arrives after everything is settled."""
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)
        link.hands.exits("a")
        await wait_until(lambda: "forget" in link.hands.verbs("a"))
        server.push(Ask(server.assignment("a")))
        server.assign("b")
        await wait_until(lambda: "b" in link.hands.commands)
        assert link.hands.verbs("a").count("spawn") == 1
        assert server.of(NeverRan) == []
        assert len(server.of(Report)) == 1


async def test_attempt_with_only_a_tombstone_is_reported_unknown_never_as_unrun(tmp_path: Path) -> None:
    server = ScriptedServer()
    hands = FakeSupervisor(tmp_path)
    hands.tombstones.add("a")
    async with linked(tmp_path, server, hands) as link:
        await link.ready()
        server.push(Ask(server.assignment("a", session="another")))
        await wait_until(lambda: server.of(Report))
        outcome = server.of(Report)[0].outcome
        assert (outcome.state, outcome.error) == ("unknown", "forgotten")
        assert server.of(NeverRan) == []


async def test_stale_spawn_is_proven_unrun(tmp_path: Path) -> None:
    server = ScriptedServer()
    hands = FakeSupervisor(tmp_path)
    hands.spawn_answer = "stale"
    async with linked(tmp_path, server, hands) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: server.of(NeverRan))
        assert link.hands.verbs("a")[:2] == ["spawn", "void"]


async def test_a_disk_that_takes_no_proof_either_starts_and_proves_nothing_until_asked_again(tmp_path: Path) -> None:
    server = ScriptedServer()
    hands = FakeSupervisor(tmp_path)
    hands.spawn_answer = hands.void_answer = SpoolUnwritable(reason="full")
    async with linked(tmp_path, server, hands) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: link.hands.verbs("a") == ["spawn", "void"])
        hands.spawn_answer = "spawned"
        server.push(Ask(server.assignment("a")))
        await wait_until(lambda: "a" in link.hands.commands)
        assert server.of(NeverRan) == []
        assert len(server.peers) == 1


async def test_cancel_reaches_a_running_command(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)
        server.push(Cancel("a", grace=3.0, kill=True))
        await wait_until(lambda: ("cancel", "a", 3.0, True) in link.hands.calls)


async def test_cancel_before_leave_was_given_keeps_it_from_starting(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()

        def cancel_then_go(message: Start) -> Permit:
            # Delivered before the answer to the question is.
            assert link.loop._session is not None
            link.loop._session.deliver(Cancel(message.attempt))
            return Permit("go")

        server.answers[Start] = cancel_then_go
        server.assign("a", permit=False)
        await wait_until(lambda: server.of(NeverRan))
        assert server.of(NeverRan)[0].reason == "cancelled"
        assert "a" not in link.hands.commands


async def test_cancel_during_the_spawn_follows_it(tmp_path: Path) -> None:
    server = ScriptedServer()
    hands = FakeSupervisor(tmp_path)
    hands.gate = asyncio.Event()
    async with linked(tmp_path, server, hands) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: hands.verbs("a") == ["spawn"])
        server.push(Cancel("a"))
        await wait_until(lambda: hands.verbs("a") == ["spawn", "cancel"])
        hands.gate.set()


async def test_more_assignments_than_slots_wait_for_a_free_one(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server, slots=1) as link:
        await link.ready()
        server.assign("a")
        server.assign("b")
        await wait_until(lambda: "a" in link.hands.commands)
        assert "b" not in link.hands.commands
        link.hands.exits("a")
        await wait_until(lambda: "b" in link.hands.commands)


async def test_no_slot_within_the_permit_gives_the_attempt_back(tmp_path: Path) -> None:
    server = ScriptedServer(permit_ttl=0.3)
    async with linked(tmp_path, server, slots=1) as link:
        await link.ready()
        server.assign("a", permit=False)
        await wait_until(lambda: "a" in link.hands.commands)
        server.assign("b", permit=False)
        await wait_until(lambda: server.of(NeverRan))
        assert (server.of(NeverRan)[0].attempt, server.of(NeverRan)[0].reason) == ("b", "busy")


async def test_renewals_carry_what_the_journal_holds(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.02)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: any(held.attempt == "a" for m in server.of(Renew) for held in m.have))
        link.hands.exits("a")
        await wait_until(lambda: server.of(Renew)[-1].have == ())


async def test_a_message_that_the_server_does_not_take_costs_no_connection(tmp_path: Path) -> None:
    server = ScriptedServer()

    def refuse(message: Report) -> None:
        if message.attempt == "a":
            raise NotFound(kind="execution", name="x")

    server.answers[Report] = refuse
    async with linked(tmp_path, server) as link:
        await link.ready()
        for name in "ab":
            server.assign(name)
            await wait_until(lambda name=name: name in link.hands.commands)
            link.hands.exits(name)
        await wait_until(lambda: "forget" in link.hands.verbs("b"))
        assert len(server.peers) == 1
        assert "forget" not in link.hands.verbs("a")


async def test_reply_with_the_next_assignment_starts_it(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        following: list[Assignment] = [server.assignment("b")]

        def hand_over(message: Report) -> Any:
            from plumber_core.protocol.messages import Reported

            return Reported("recorded", 0, following.pop()) if following else None

        server.answers[Report] = hand_over
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)
        link.hands.exits("a")
        await wait_until(lambda: "b" in link.hands.commands)
