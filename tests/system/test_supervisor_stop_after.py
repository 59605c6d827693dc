"""``stop_after``: a command that must not outlive a long silence is ended by its supervisor, with or without a link."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from plumber_core.runner.clock import boottime
from plumber_core.runner.supervision import ExitInfo
from support.supervised import Supervised, alive, shell, supervised
from support.waiting import wait_until

FOREVER = "trap '' TERM; echo up; while :; do sleep 0.1; done"


async def ended(s: Supervised, attempt: str) -> ExitInfo:
    record = await s.end_of(attempt)
    assert record.exit is not None
    return record.exit


async def test_it_ends_when_nothing_was_renewed_for_so_long_though_no_link_is_there(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell(FOREVER, stop_after=1.0, renewed=boottime(), grace=0.1))
        pid = await s.pid_of(attempt)
        await s.leave()
        await wait_until(lambda: not alive(pid))
    async with supervised(tmp_path) as s:
        [record] = await s.client.inventory()
        assert record.exit is not None
        assert (record.exit.state, record.exit.error, record.exit.signal) == ("unknown", "stop_after", 9)
        assert record.exit.duration >= 1.0


async def test_it_counts_from_the_sending_of_the_renewal_that_its_permit_names(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        late = await s.spawn(shell(FOREVER, stop_after=30.0, renewed=boottime() - 40, grace=0.1))
        early = await s.spawn(shell(FOREVER, stop_after=30.0, renewed=boottime()))
        assert (await ended(s, late)).error == "stop_after"
        assert alive(await s.pid_of(early))


async def test_each_recorded_renewal_lets_it_go_on_and_an_older_one_takes_nothing_back(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell(FOREVER, stop_after=60.0, renewed=boottime() - 59))
        s.client.renewed(boottime())
        s.client.renewed(boottime() - 100)
        await s.printed(attempt, b"up")
        await s.client.inventory()
        other = await s.spawn(shell(FOREVER, stop_after=60.0, renewed=boottime() - 61, grace=0.1))
        assert (await ended(s, other)).error == "stop_after"
        assert alive(await s.pid_of(attempt))


async def test_without_it_a_renewal_changes_nothing(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        s.client.renewed(boottime() - 1000)
        record = await s.run(shell("exit 4"))
        assert record.exit is not None and record.exit.exit_code == 4


async def test_a_supervisor_that_was_frozen_ends_what_is_late_before_it_starts_anything(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    text = f"trap '' TERM; while :; do echo old >> {witness}; sleep 0.01; done"
    async with supervised(tmp_path / "state") as s:
        old = await s.spawn(shell(text, stop_after=0.5, renewed=boottime(), grace=60))
        pid = await s.pid_of(old)
        os.kill(s.client.pid, signal.SIGSTOP)
        late = boottime() + 5.0
        await wait_until(lambda: boottime() > late)
        after = shell(f"kill -0 {pid} 2>/dev/null && echo both >> {witness}; echo new >> {witness}")
        waiting = s.spawn(after)
        os.kill(s.client.pid, signal.SIGCONT)
        new = await waiting
        await s.end_of(new)
        assert (await ended(s, old)).error == "stop_after"
        assert witness.read_text().splitlines()[-1] == "new"


async def test_a_link_frozen_for_long_keeps_no_command_alive(tmp_path: Path) -> None:
    """The supervisor counts from what was recorded: it needs nobody to be told that nothing was."""
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("sleep 300", stop_after=0.5, renewed=boottime()))
        assert (await ended(s, attempt)).signal == 15
