"""Whoever dies, the other one knows: link killed, supervisor killed, at any of its durable acts."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import uuid
from pathlib import Path

import pytest

from plumber_core.crash import CRASHED
from plumber_core.errors import LinkBusy, SupervisorGone
from plumber_core.runner.supervision import Exited, SupervisorClient
from support.processes import Processes
from support.supervised import alive, proc, shell, supervised
from support.waiting import wait_until

X = str(uuid.uuid4())
"""The attempt, told apart from that of a test which runs beside this one."""
LINK = """
import asyncio, sys
from pathlib import Path
from plumber_core.runner.supervision import Command, SupervisorClient

async def main():
    client = await SupervisorClient.attach(Path(sys.argv[1]))
    command = Command(("/bin/sh", "-c", sys.argv[2]), {"PATH": "/usr/bin:/bin"})
    print(await client.spawn(sys.argv[3], command, permit_until=None, meta={"n": 1}), client.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def start_link(processes: Processes, state: Path, command: str, **env: str) -> int:
    """Start a link in a process of its own that spawns a command; return the supervisor's pid."""
    link = processes.start("link", [sys.executable, "-c", LINK, state, command, X], **env)
    link.wait_for_output("\n")
    answer, pid = link.output().split()[:2]
    assert answer == "spawned"
    return int(pid)


async def test_a_killed_link_costs_no_byte_and_no_outcome(processes: Processes, tmp_path: Path) -> None:
    state, go = tmp_path / "state", tmp_path / "go"
    text = f"echo $$; i=0; while [ ! -e {go} ]; do i=$((i+1)); echo $i; sleep 0.01; done; echo last $i; exit 5"
    supervisor = start_link(processes, state, text)
    (link,) = [p for p in processes._started if p.name == "link"]
    link.kill()
    async with supervised(state) as s:
        (held,) = await s.client.inventory()
        assert (held.attempt, held.state, held.meta) == (X, "running", {"n": 1})
        assert s.client.pid == supervisor
        seen = await s.printed(X, b"20\n")
        pid = int(seen.split()[0])
        assert alive(pid)
        go.touch()
        record = await s.end_of(X)
        assert record.exit is not None
        assert record.exit.exit_code == 5
        pid_line, *numbers = s.text(X).splitlines()
        assert int(pid_line) == pid
        last = int(numbers[-1].split()[1])
        assert numbers[:-1] == [str(n).encode() for n in range(1, last + 1)]
        assert s.client.read_log(X, 0, 1 << 20)[-1:] == b"\n"


async def test_an_end_without_any_link_is_told_to_the_next_one(processes: Processes, tmp_path: Path) -> None:
    start_link(processes, tmp_path / "state", "sleep 0.5; echo done")
    processes._started[0].kill()
    done = tmp_path / "state/spool" / f"{X}.log"
    await wait_until(lambda: done.exists() and b"done" in done.read_bytes())
    async with supervised(tmp_path / "state") as s:

        async def exited() -> bool:
            return [r.state for r in await s.client.inventory()] == ["exited"]

        await wait_until(exited)


async def test_a_killed_supervisor_makes_its_attempts_unknown_and_ends_them(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("echo up; setsid sleep 300 & while :; do sleep 0.1; done"))
        await s.printed(attempt, b"up")
        pid = await s.pid_of(attempt)
        os.kill(s.client.pid, signal.SIGKILL)
        await wait_until(lambda: s.gone)
        with pytest.raises(SupervisorGone):
            await s.client.inventory()
        assert alive(pid)
        await s.leave()
        async with supervised(tmp_path) as later:
            (record,) = await later.client.inventory()
            assert (record.attempt, record.state) == (attempt, "unknown")
            assert record.exit is not None
            assert (record.exit.state, record.exit.error) == ("unknown", "supervisor_died")
            assert record.log_end == len(later.client.read_log(attempt, 0, 1000))
            await wait_until(lambda: not alive(pid), 2)
            assert await later.client.spawn(attempt, shell("true"), permit_until=None, meta={}) == "known"


async def test_another_boot_is_told_apart_from_a_death(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("sleep 300"))
        boot, supervisor = s.client.boot_id, s.client.pid
        pid = await s.pid_of(attempt)
        os.kill(supervisor, signal.SIGKILL)
        await wait_until(lambda: s.gone)
    os.kill(pid, signal.SIGKILL)
    _pretend_older_boot(tmp_path / "journal", boot)
    async with supervised(tmp_path) as s:
        (record,) = await s.client.inventory()
        assert record.exit is not None
        assert (record.state, record.exit.error) == ("unknown", "rebooted")


def _pretend_older_boot(journal: Path, boot: str) -> None:
    from plumber_core.runner.journal import encode_record, read_contents

    records = read_contents(journal.read_bytes()).records
    for record in records:
        if record.get("boot") == boot:
            record["boot"] = "an-older-boot"
    journal.write_bytes(b"".join(map(encode_record, records)))


NOT_STARTED = ("supervisor.spawning_written",)
STARTED = ("supervisor.spawned", "supervisor.started_written", "supervisor.reaped")
ENDED = ("supervisor.exit_written", "supervisor.exit_synced")


@pytest.mark.parametrize("point", [*NOT_STARTED, *STARTED, *ENDED])
async def test_crash_at_each_durable_act_of_a_run(point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBER_CRASH_AT", point)
    ran = tmp_path / "ran"
    async with supervised(tmp_path / "state") as s:
        with contextlib.suppress(SupervisorGone):
            await s.client.spawn(X, shell(f"echo run >> {ran}; sleep 0.1; exit 3"), permit_until=None, meta={})
        await wait_until(lambda: s.gone)
    monkeypatch.delenv("PLUMBER_CRASH_AT")
    async with supervised(tmp_path / "state") as s:
        (record,) = await s.client.inventory()
        assert record.exit is not None
        if point in ENDED:
            assert (record.state, record.exit.exit_code) == ("exited", 3)
        else:
            assert (record.state, record.exit.error) == ("unknown", "supervisor_died")
        assert await s.client.spawn(X, shell(f"echo run >> {ran}"), permit_until=None, meta={}) == "known"
    assert not ran.exists() or ran.read_text() == "run\n"
    assert (point in NOT_STARTED) <= (not ran.exists())


async def test_a_death_during_the_drain_keeps_the_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBER_CRASH_AT", "supervisor.reaped_written")
    async with supervised(tmp_path) as s:
        await s.spawn(shell("sleep 300 & exit 9"), X)
        await wait_until(lambda: s.gone)
    monkeypatch.delenv("PLUMBER_CRASH_AT")
    async with supervised(tmp_path) as s:
        (record,) = await s.client.inventory()
        assert record.exit is not None
        assert (record.state, record.exit.exit_code) == ("exited", 9)


@pytest.mark.parametrize("point", ["supervisor.void_written", "supervisor.void_synced"])
async def test_crash_while_voiding_never_lets_it_run(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBER_CRASH_AT", point)
    async with supervised(tmp_path) as s:
        with pytest.raises(SupervisorGone):
            await s.client.void(X)
    monkeypatch.delenv("PLUMBER_CRASH_AT")
    async with supervised(tmp_path) as s:
        assert await s.client.spawn(X, shell("true"), permit_until=None, meta={}) == "known"
        assert await s.client.void(X) == "void"


@pytest.mark.parametrize("point", ["supervisor.forgotten_written", "supervisor.files_deleted"])
async def test_crash_while_forgetting_keeps_the_tombstone(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBER_CRASH_AT", point)
    async with supervised(tmp_path, keep=0) as s:
        record = await s.run(shell("true"))
        with contextlib.suppress(SupervisorGone):
            await s.client.forget(record.attempt)
        await wait_until(lambda: s.gone)
    monkeypatch.delenv("PLUMBER_CRASH_AT")
    async with supervised(tmp_path) as s:
        assert await s.client.inventory() == []
        assert await s.client.void(record.attempt) == "known"


async def test_one_link_at_a_time(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        with pytest.raises(LinkBusy) as caught:
            await SupervisorClient.attach(tmp_path)
        assert caught.value.pid == os.getpid()
        first = s.client.number
    async with supervised(tmp_path) as s:
        assert s.client.number > first


async def test_it_leaves_when_nobody_needs_it(tmp_path: Path) -> None:
    async with supervised(tmp_path, idle_exit=0.3) as s:
        attempt = await s.spawn(shell("sleep 1; echo done"))
        supervisor = s.client.pid
        await s.leave()
        await wait_until(lambda: b"done" in s.text(attempt))
        await wait_until(lambda: not alive(supervisor))
    async with supervised(tmp_path) as s:
        (record,) = await s.client.inventory()
        assert record.state == "exited"
        assert s.client.pid != supervisor


async def test_it_is_nobodys_child_and_outlives_terminal_signals(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        pid = s.client.pid
        fields = proc(pid, "stat").rpartition(b")")[2].split()
        assert int(fields[1]) != os.getpid()
        assert int(fields[3]) != os.getsid(0)
        assert os.readlink(f"/proc/{pid}/cwd") == "/"  # noqa: PTH115
        os.kill(pid, signal.SIGHUP)
        os.kill(pid, signal.SIGINT)
        assert (await s.run(shell("true"))).state == "exited"
        os.kill(pid, signal.SIGTERM)
        await wait_until(lambda: not alive(pid))


async def test_idle_it_needs_little_memory(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        await s.run(shell("true"))
        status = proc(s.client.pid, "status").decode()
        resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        assert resident <= 14 * 1024


async def test_the_path_of_the_state_folder_may_be_long(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40) / "state"
    async with supervised(folder) as s:
        assert (await s.run(shell("true"))).state == "exited"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "supervisor.sock").stat().st_mode & 0o077 == 0


async def test_an_exit_is_in_the_journal_before_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CRASHED == 137
    monkeypatch.setenv("PLUMBER_CRASH_AT", "supervisor.exit_written")
    async with supervised(tmp_path) as s:
        with contextlib.suppress(SupervisorGone):
            await s.spawn(shell("true"), X)
        await wait_until(lambda: s.gone)
        assert not [event for event in s.seen if isinstance(event, Exited)]
        assert '"kind":"exit"' in (tmp_path / "journal").read_text()


@pytest.mark.row(31)
async def test_a_damaged_record_costs_one_attempt_and_not_the_agent(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        whole, hurt = [(await s.run(shell(f"echo {n}; exit {n}"))).attempt for n in (1, 2)]
        await s.client.shutdown(kill=True)
    damage(tmp_path / "journal", hurt)
    async with supervised(tmp_path) as s:
        records = {record.attempt: record for record in await s.client.inventory()}
        assert records[whole].state == "exited"
        ended = records[hurt].exit
        assert ended is not None
        assert (records[hurt].state, ended.error) == ("unknown", "journal_damaged")
        assert await s.client.spawn(hurt, shell("true"), permit_until=None, meta={}) == "known"


def damage(journal: Path, attempt: str) -> None:
    """Flip a bit in the record of an attempt's exit."""
    lines = journal.read_bytes().splitlines(keepends=True)
    where = next(i for i, line in enumerate(lines) if b'"exit"' in line and attempt.encode() in line)
    lines[where] = lines[where].replace(b'"exit_code":2', b'"exit_code":0')
    journal.write_bytes(b"".join(lines))
