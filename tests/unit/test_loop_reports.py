"""Every exit and every byte reaches the server once, over lost replies, lost connections and dead supervisors."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from plumber_core.errors import PlumberError
from plumber_core.model.limits import MAX_REPORT_TAIL
from plumber_core.protocol.frames import MAX_CHUNK, STDERR, decode_frames, encode_frame, whole_length
from plumber_core.protocol.messages import (
    Ask,
    Hello,
    LogChunk,
    LogEnd,
    NeverRan,
    Outcome,
    Renew,
    Report,
    Reported,
    Settled,
)
from plumber_core.protocol.peer import Disconnected
from plumber_core.runner.supervision import ExitInfo
from support.fake_supervisor import FakeSupervisor
from support.linked import Linked, linked
from support.scripted_server import ScriptedServer
from support.waiting import wait_until


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def run(link: Linked, attempt: str = "a") -> None:
    """Have an attempt running."""
    await link.ready()
    link.server.assign(attempt)
    await wait_until(lambda: attempt in link.hands.commands)


async def settled(link: Linked, attempt: str = "a") -> None:
    """Wait until the link has let go of an attempt."""
    await wait_until(lambda: "forget" in link.hands.verbs(attempt))


async def test_a_silent_step_costs_one_message(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        before = len(server.seen)
        link.hands.exits("a", duration=0.5)
        await settled(link)
        (report,) = server.seen[before:]
        assert report.outcome == Outcome("succeeded", 0, duration=0.5, sha256_stdout=sha(b""), sha256_stderr=sha(b""))
        assert (report.session, report.epoch, report.tail) == (server.peer.session, 1, b"")


async def test_unsent_output_rides_on_the_report(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        link.hands.prints("a", b"hello\n")
        link.hands.prints("a", b"oops\n", STDERR)
        link.hands.exits("a", "failed", exit_code=3)
        await settled(link)
        assert server.of(LogChunk) == []
        (report,) = server.of(Report)
        assert [frame.data for frame in decode_frames(report.tail)] == [b"hello\n", b"oops\n"]
        assert (report.outcome.bytes_stdout, report.outcome.bytes_stderr) == (6, 5)
        assert report.outcome.sha256_stdout == sha(b"hello\n")
        assert report.outcome.sha256_stderr == sha(b"oops\n")
        assert report.outcome.log_end == len(report.tail)


async def test_first_byte_is_sent_at_once_and_the_rest_rides_on_the_report(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        link.hands.prints("a", b"one\n")
        await wait_until(lambda: server.logs.get("a"))
        link.hands.prints("a", b"two\n")
        link.hands.exits("a")
        await settled(link)
        assert [f.data for f in decode_frames(bytes(server.logs["a"]))] == [b"one\n", b"two\n"]
        assert server.of(Report)[0].tail_offset == len(encode_frame(1, 1, b"one\n"))


async def test_output_is_gathered_while_a_chunk_is_on_its_way(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        server.peer.hold = asyncio.Event()
        link.hands.prints("a", b"0")
        await wait_until(lambda: len(server.of(LogChunk)) == 1)
        for _ in range(50):
            link.hands.prints("a", b"x")
        # A step that ends proves that everything before it was taken in.
        server.assign("b")
        await wait_until(lambda: "b" in link.hands.commands)
        assert len(server.of(LogChunk)) == 1
        hold, server.peer.hold = server.peer.hold, None
        hold.set()
        await wait_until(lambda: len(server.logs.get("a", b"")) == len(link.hands.logs["a"]))
        # The first is noted twice: as it was held, and as it was taken.
        assert [len(list(decode_frames(chunk.data))) for chunk in server.of(LogChunk)] == [1, 1, 50]


async def test_a_large_log_goes_in_whole_frames_and_bounded_chunks(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        whole = b""
        for index in range(200):
            data = bytes([index]) * 65_000
            whole += data
            link.hands.prints("a", data)
        link.hands.exits("a")
        expected = bytes(link.hands.logs["a"])
        await settled(link)
        assert bytes(server.logs["a"]) == expected
        assert max(len(chunk.data) for chunk in server.of(LogChunk)) <= MAX_CHUNK
        assert all(whole_length(chunk.data) == len(chunk.data) for chunk in server.of(LogChunk))
        (report,) = server.of(Report)
        assert report.outcome.sha256_stdout == sha(whole)
        assert report.outcome.log_end == len(expected)
        assert len(report.tail) <= MAX_REPORT_TAIL


async def test_a_frame_larger_than_a_chunk_is_sent_whole(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        assert link.loop._session is not None
        link.loop._session._line.pace.limit = 16 * 1024
        link.hands.prints("a", b"y" * 200_000)
        await wait_until(lambda: len(server.logs.get("a", b"")) == len(link.hands.logs["a"]))


async def test_acknowledged_bytes_are_given_back(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        for _ in range(100):
            link.hands.prints("a", b"z" * 100_000)
        await wait_until(lambda: "trim" in link.hands.verbs("a"))
        assert all(call[2] <= len(server.logs["a"]) for call in link.hands.calls if call[0] == "trim")


async def test_a_gap_at_the_server_rewinds(tmp_path: Path) -> None:
    server = ScriptedServer()
    lose = [True, True]

    def forgetful(chunk: LogChunk) -> LogEnd | None:
        return LogEnd(chunk.attempt, 0) if lose and lose.pop() else None

    async with linked(tmp_path, server) as link:
        await run(link)
        server.answers[LogChunk] = forgetful
        link.hands.prints("a", b"first\n")
        await wait_until(lambda: server.logs.get("a"))
        assert [chunk.offset for chunk in server.of(LogChunk)] == [0, 0, 0]
        link.hands.exits("a")
        await settled(link)
        assert len(list(decode_frames(bytes(server.logs["a"])))) == 1


async def test_a_lost_reply_is_reported_again_with_the_same_content(tmp_path: Path) -> None:
    server = ScriptedServer()
    lost: list[Report] = []

    def lose_first(message: Report) -> Any:
        if not lost:
            lost.append(message)
            server.logs["a"] = bytearray(message.tail)
            server.peer.break_off()
            raise Disconnected("lost")
        return Reported("duplicate", len(server.logs["a"]))

    server.answers[Report] = lose_first
    async with linked(tmp_path, server) as link:
        await run(link)
        link.hands.prints("a", b"hello\n")
        link.hands.exits("a")
        await settled(link)
        first, second = server.of(Report)
        assert first.outcome == second.outcome
        assert first.session != second.session
        # The server had the tail already: it was asked before anything was sent again.
        assert second.tail == b""


async def test_a_report_that_the_server_stumbles_over_is_told_again_in_the_same_session(tmp_path: Path) -> None:
    server = ScriptedServer()
    stumbles = iter([PlumberError(), PlumberError()])

    def stumble(_: Report) -> None:
        if error := next(stumbles, None):
            raise error

    server.answers[Report] = stumble
    async with linked(tmp_path, server) as link:
        await run(link)
        greeted = len(server.of(Hello))
        link.hands.prints("a", b"hello\n")
        link.hands.exits("a")
        await settled(link)
        assert [report.outcome for report in server.of(Report)] == [server.of(Report)[0].outcome] * 3
        assert [frame.data for frame in decode_frames(bytes(server.logs["a"]))] == [b"hello\n"]
        assert len(server.of(Hello)) == greeted


async def test_work_done_while_the_server_is_away_is_told_afterwards(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        server.reachable = False
        server.peer.break_off()
        await wait_until(lambda: ("durable", True) in link.hands.calls[-3:])
        link.hands.prints("a", b"all alone\n")
        link.hands.exits("a")
        server.reachable = True
        await settled(link)
        assert [f.data for f in decode_frames(bytes(server.logs["a"]))] == [b"all alone\n"]
        assert ("durable", False) in link.hands.calls[-6:]


async def test_a_new_link_adopts_and_sends_only_what_the_server_lacks(tmp_path: Path) -> None:
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    hands.logs["a"] = bytearray(encode_frame(1, 1, b"old\n") + encode_frame(1, 2, b"new\n"))
    server.logs["a"] = bytearray(encode_frame(1, 1, b"old\n"))
    hands.put("a", "exited", ExitInfo("succeeded", 0))
    async with linked(tmp_path, server, hands) as link:
        await settled(link)
        assert bytes(server.logs["a"]) == encode_frame(1, 1, b"old\n") + encode_frame(1, 2, b"new\n")
        (report,) = server.of(Report)
        assert report.tail == encode_frame(1, 2, b"new\n")
        assert report.outcome.sha256_stdout == sha(b"old\nnew\n")


async def test_digest_stays_empty_when_the_beginning_was_given_back(tmp_path: Path) -> None:
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    first, second = encode_frame(1, 1, b"old\n"), encode_frame(1, 2, b"new\n")
    hands.logs["a"] = bytearray(bytes(len(first)) + second)
    server.logs["a"] = bytearray(first)
    hands.put("a", "exited", ExitInfo("succeeded", 0))
    async with linked(tmp_path, server, hands) as link:
        await settled(link)
        (report,) = server.of(Report)
        assert (report.outcome.sha256_stdout, report.outcome.log_end) == ("", len(first + second))
        assert bytes(server.logs["a"]) == first + second


async def test_bytes_that_both_sides_lost_do_not_keep_the_outcome_back(tmp_path: Path) -> None:
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    hands.logs["a"] = bytearray(100)
    hands.put("a", "exited", ExitInfo("succeeded", 0))
    async with linked(tmp_path, server, hands) as link:
        await settled(link)
        assert server.of(Report)[0].outcome.state == "succeeded"


async def test_unknown_ends_say_why(tmp_path: Path) -> None:
    from plumber_core.runner.clock import boot_id

    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    hands.put("died", "unknown", boot=boot_id())
    hands.put("booted", "unknown", boot="another")
    async with linked(tmp_path, server, hands) as link:
        await settled(link, "died")
        await settled(link, "booted")
        outcomes = {m.attempt: (m.outcome.state, m.outcome.error) for m in server.of(Report)}
        assert outcomes == {"died": ("unknown", "supervisor_died"), "booted": ("unknown", "rebooted")}


async def test_void_records_are_proven_again_by_the_next_session(tmp_path: Path) -> None:
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    hands.put("a", "void", boot="boot-of-the-record")
    async with linked(tmp_path, server, hands) as link:
        await settled(link)
        assert server.of(NeverRan)[0].boot_id == "boot-of-the-record"


async def test_a_dead_supervisor_is_replaced_and_its_attempts_reported(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        link.hands.put("a", "unknown", ExitInfo("unknown", error="supervisor_died"))
        link.hands.dies()
        await wait_until(lambda: len(link.supervisors) == 2)
        await settled(link)
        assert server.of(Report)[0].outcome.error == "supervisor_died"
        assert link.supervisors[0].detached


async def test_an_attempt_that_the_server_disowns_is_let_go(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers[Report] = lambda _: Reported("unknown")
    server.answers[LogChunk] = lambda chunk: LogEnd(chunk.attempt, -1)
    async with linked(tmp_path, server) as link:
        await run(link)
        link.hands.prints("a", b"nobody listens\n")
        await wait_until(lambda: server.of(LogChunk))
        link.hands.exits("a")
        await settled(link)


async def test_settled_lets_go_without_another_report(tmp_path: Path) -> None:
    server, hands = ScriptedServer(), FakeSupervisor(tmp_path)
    hands.put("a", "exited", ExitInfo("succeeded", 0))
    server.deliveries = (Settled("a"),)
    async with linked(tmp_path, server, hands) as link:
        await settled(link)
        assert server.of(Report) == []


async def test_a_report_goes_out_before_a_long_backlog(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        server.peer.hold = asyncio.Event()
        for _ in range(100):
            link.hands.prints("a", b"b" * 60_000)
        link.hands.exits("a")
        await wait_until(lambda: server.of(Report))
        assert "a" not in server.logs or len(server.logs["a"]) < len(link.hands.logs["a"])
        hold, server.peer.hold = server.peer.hold, None
        hold.set()
        await settled(link)
        assert len(server.of(Report)) == 1


async def test_asked_about_an_ended_attempt_reports_it_again(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await run(link)
        # Reported, and still held because the server has not all of its log.
        server.answers[LogChunk] = lambda chunk: LogEnd(chunk.attempt, 0)
        server.answers[Report] = lambda _: Reported("recorded", 0)
        link.hands.prints("a", b"c" * (MAX_REPORT_TAIL + 1))
        link.hands.exits("a")
        await wait_until(lambda: len(server.of(Report)) == 1)
        server.push(Ask(server.assignment("a")))
        await wait_until(lambda: len(server.of(Report)) == 2)
        server.answers.clear()
        await settled(link)


async def test_outputs_are_read_and_bad_ones_fail_the_step(tmp_path: Path) -> None:
    server = ScriptedServer()
    async with linked(tmp_path, server) as link:
        await link.ready()
        for name, content in {"good": "version=1.2\n", "bad": "no equals sign\n"}.items():
            (tmp_path / f"{name}.out").write_text(content)
            server.assign(name)
            await wait_until(lambda name=name: name in link.hands.commands)
            link.hands.exits(name)
            await settled(link, name)
        good, bad = (message.outcome for message in server.of(Report))
        assert (good.state, good.outputs) == ("succeeded", {"version": "1.2"})
        assert (bad.state, bad.error, bad.exit_code) == ("failed", "bad_output", 0)
        assert "line 1" in bad.detail


async def test_new_epoch_is_greeted_with_a_fresh_inventory_and_everything_is_told_again(tmp_path: Path) -> None:
    server = ScriptedServer()
    server.answers[LogChunk] = lambda chunk: LogEnd(chunk.attempt, 0)
    async with linked(tmp_path, server) as link:
        await run(link)
        link.hands.prints("a", b"d" * (MAX_REPORT_TAIL + 1))
        link.hands.exits("a")
        await wait_until(lambda: len(server.of(Report)) == 1)
        server.epoch, server.logs = 2, {}
        inventories = link.hands.calls.count(("inventory",))
        server.peer.break_off()
        await wait_until(lambda: len(server.of(Report)) == 2)
        greetings = [hello.epoch for hello in server.of(Hello)][-2:]
        assert greetings == [1, 2]
        assert link.hands.calls.count(("inventory",)) == inventories + 2
        assert server.of(Report)[-1].epoch == 2
        server.answers.clear()
        server.peer.break_off()
        await settled(link)


async def test_a_renewal_of_another_epoch_ends_the_session(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.02)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.epoch = 5
        await wait_until(lambda: any(renew.epoch == 5 for renew in server.of(Renew)))
