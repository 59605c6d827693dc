from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.supervised import Supervised, alive, shell, supervised
from support.waiting import wait_until

TREE = """
trap '' TERM
(trap '' TERM; echo child $$; while :; do sleep 1; done) &
setsid sh -c "trap '' TERM; echo ready; while :; do sleep 1; done" &
setsid setsid sh -c "exec >/dev/null 2>&1; trap '' TERM; while :; do sleep 1; done" &
while :; do sleep 1; done
"""


async def family(s: Supervised, attempt: str, count: int) -> set[int]:
    """Return the processes that carry an attempt's marker, once there are at least ``count``."""
    marker = f"PLUMBER_ATTEMPT={attempt}".encode()

    def members() -> set[int] | None:
        found = set()
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if marker in path.read_bytes().split(b"\0"):
                    found.add(int(path.parent.name))
            except OSError:
                continue
        return found if len(found) >= count else None

    result: set[int] = await wait_until(members, 20)
    return result


async def test_cancel_asks_first(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done"))
        await s.printed(attempt, b"up")
        await s.client.cancel(attempt)
        ended = (await s.end_of(attempt)).exit
        assert ended is not None
        assert (ended.state, ended.exit_code, ended.orphans) == ("cancelled", 7, 0)
        assert b"bye" in s.text(attempt)


async def test_cancel_kills_the_whole_tree_after_the_grace(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell(TREE))
        await s.printed(attempt, b"ready")
        pids = await family(s, attempt, 8)
        began = time.monotonic()
        await s.client.cancel(attempt, grace=0.3)
        ended = (await s.end_of(attempt)).exit
        assert ended is not None
        assert (ended.state, ended.signal) == ("cancelled", 9)
        assert time.monotonic() - began >= 0.3
        await wait_until(lambda: not any(map(alive, pids)))


async def test_kill_is_at_once_and_a_repeated_cancel_does_not_hurry(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        stubborn = "trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done"
        attempt = await s.spawn(shell(stubborn, grace=60))
        await s.printed(attempt, b"up")
        await s.client.cancel(attempt)
        await s.client.cancel(attempt)
        await s.printed(attempt, b"asked")
        assert alive(await s.pid_of(attempt))
        await s.client.cancel(attempt, kill=True)
        ended = (await s.end_of(attempt, 5)).exit
        assert ended is not None
        assert (ended.state, ended.signal) == ("cancelled", 9)


async def test_a_stopped_command_is_woken_to_be_cancelled(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("echo up; kill -STOP $$; exit 1"))
        await s.printed(attempt, b"up")
        await s.client.cancel(attempt, grace=30)
        ended = (await s.end_of(attempt, 10)).exit
        assert ended is not None
        assert (ended.state, ended.signal) == ("cancelled", 15)


async def test_timeout_ends_the_tree_without_any_link(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell(TREE, timeout=1.0, grace=0.2))
        pids = await family(s, attempt, 8)
        await s.leave()
        await wait_until(lambda: not any(map(alive, pids)))
        async with supervised(tmp_path) as again:
            ended = {record.attempt: record.exit for record in await again.client.inventory()}[attempt]
            assert ended is not None
            assert (ended.state, ended.error, ended.signal) == ("timed_out", "timeout", 9)
            assert ended.duration >= 1.0


async def test_silence_ends_it_too(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        busy = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.15; done; sleep 60"
        ended = (await s.run(shell(busy, idle_timeout=0.6, grace=0.1))).exit
        assert ended is not None
        assert (ended.state, ended.error) == ("timed_out", "idle_timeout")
        assert ended.duration > 1.2


@pytest.mark.row(77)
async def test_the_end_is_the_main_process_and_not_the_pipe(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        began = time.monotonic()
        record = await s.run(shell("echo out; setsid sleep 300 & exit 4"))
        assert record.exit is not None
        assert (record.exit.state, record.exit.exit_code, record.exit.orphans) == ("failed", 4, 1)
        # The pipe was waited for, and that is no part of the command's time.
        assert time.monotonic() - began - record.exit.duration > 1.9
        (left,) = await family(s, record.attempt, 1)
        assert alive(left)
        silent = await s.run(shell("setsid sleep 300 >/dev/null 2>&1 & exit 0"))
        assert silent.exit is not None
        assert silent.exit.orphans == 1
        clean = await s.run(shell("true"))
        assert clean.exit is not None
        assert clean.exit.orphans == 0
        for attempt in (record.attempt, silent.attempt):
            for pid in await family(s, attempt, 1):
                await s.run(shell(f"kill -9 {pid}"))


async def test_what_others_write_after_the_end_is_kept_for_two_seconds(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        record = await s.run(shell("(sleep 0.5; echo late) & echo early"))
        assert s.text(record.attempt) == b"early\nlate\n"


async def test_cancel_during_the_drain_ends_the_survivors(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("sleep 300 & exit 0"))
        (pid, *_) = await family(s, attempt, 1)
        await s.client.cancel(attempt)
        ended = (await s.end_of(attempt)).exit
        assert ended is not None
        assert ended.orphans == 0
        await wait_until(lambda: not alive(pid))


async def test_shutdown_ends_everything_and_keeps_the_outcome(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("trap '' TERM; echo up; while :; do sleep 1; done"))
        await s.printed(attempt, b"up")
        pid, supervisor = await s.pid_of(attempt), s.client.pid
        await s.client.shutdown(kill=True, timeout=3)
        assert not alive(pid)
        await wait_until(lambda: not alive(supervisor))
        assert not s.gone
    async with supervised(tmp_path) as s:
        (record,) = await s.client.inventory()
        assert record.exit is not None
        assert record.exit.state == "cancelled"


async def test_a_fork_bomb_loses(tmp_path: Path) -> None:
    bomb = (
        "trap '' TERM; n=0; while [ $n -lt 60 ]; do n=$((n+1)); (trap '' TERM; setsid sleep 300) & done; echo up; wait"
    )
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell(bomb))
        await s.printed(attempt, b"up")
        pids = await family(s, attempt, 61)
        await s.client.cancel(attempt, kill=True)
        await s.end_of(attempt)
        await wait_until(lambda: not any(map(alive, pids)))


async def test_commands_side_by_side_do_not_mix(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempts = [await s.spawn(shell(f"seq {n}00000 {n}50000; exit {n}")) for n in range(1, 9)]
        for number, attempt in enumerate(attempts, 1):
            ended = (await s.end_of(attempt)).exit
            assert ended is not None
            assert ended.exit_code == number
            lines = s.text(attempt).split()
            assert lines == [str(n).encode() for n in range(number * 100_000, number * 100_000 + 50_001)]
