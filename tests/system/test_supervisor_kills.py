"""Kill kills: whatever a command has started, wherever it hides, and what was killed for want of memory is told."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumber_core.runner.cgroups import PREFIX, Cgroups, own_group
from support.processes import Processes
from support.supervised import Supervised, alive, marked, proc, shell, supervised
from support.waiting import wait_until

HOME = own_group("")
needs_cgroups = pytest.mark.skipif(not Cgroups().usable, reason="no cgroup (v2) can be made here: that needs root")
BOMB = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for n in range(int(sys.argv[1])):
    if os.fork() == 0:
        os.setsid()
        if n % 2:
            os.execve("/bin/sh", ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], {"PATH": os.environ["PATH"]})
        while True:
            time.sleep(1)
print("up", flush=True)
signal.pause()
"""


def members(attempt: str) -> set[int]:
    return Cgroups(HOME).members(attempt)


async def exploded(s: Supervised, tmp_path: Path, count: int) -> str:
    script = tmp_path / "bomb.py"
    script.write_text(BOMB)
    attempt = await s.spawn(shell(f"exec {sys.executable} {script} {count}"))
    await s.printed(attempt, b"up")
    return attempt


@pytest.mark.row(76)
@needs_cgroups
async def test_two_hundred_processes_that_left_the_session_and_ignore_term_are_gone(tmp_path: Path) -> None:
    """Half of them have dropped the environment too: only their mark and the cgroup still know whose they are."""
    async with supervised(tmp_path / "state") as s:
        attempt = await exploded(s, tmp_path, 200)
        await wait_until(lambda: len(members(attempt)) >= 201)
        pids = members(attempt)
        await s.client.cancel(attempt, kill=True)
        ended = (await s.end_of(attempt)).exit
        assert ended is not None
        assert (ended.state, ended.signal, ended.orphans, ended.oom) == ("cancelled", 9, 0, False)
        await wait_until(lambda: not any(map(alive, pids)))
        assert alive(s.client.pid)
        assert (await s.run(shell("true"))).state == "exited"


@pytest.mark.row(76)
async def test_without_a_cgroup_what_kept_the_marker_or_the_session_is_gone_all_the_same(
    no_cgroups: Path,
) -> None:
    async with supervised(no_cgroups) as s:
        bomb = "n=0; while [ $n -lt 60 ]; do n=$((n+1)); (trap '' TERM; setsid sleep 300) & done; echo up; wait"
        attempt = await s.spawn(shell(f"trap '' TERM; {bomb}"))
        await s.printed(attempt, b"up")
        assert not members(attempt)
        pids = carriers(attempt)
        assert len(pids) >= 60
        await s.client.cancel(attempt, kill=True)
        await s.end_of(attempt)
        await wait_until(lambda: not any(map(alive, pids)))


def carriers(attempt: str) -> set[int]:
    """Return the processes whose environment names the attempt."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"PLUMBER_ATTEMPT={attempt}".encode() in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
    return found


@pytest.fixture
def no_cgroups(processes: Processes, tmp_path: Path) -> Path:
    """The state folder of a supervisor that sees no cgroup."""
    hidden = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"', "sh"]
    start = (
        "import asyncio, sys; from pathlib import Path; from plumber_core.runner.supervision import SupervisorClient"
    )
    starter = processes.start(
        "starter",
        [*hidden, sys.executable, "-c", f"{start}; asyncio.run(SupervisorClient.attach(Path(sys.argv[1])))", tmp_path],
    )
    if starter.wait(20):
        pytest.skip(f"no mount namespace can be made here: {starter.output()}")
    return tmp_path


@needs_cgroups
async def test_a_command_that_goes_on_gets_a_group_of_its_own_which_goes_with_it(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("echo up; read line < /dev/null; sleep 300"))
        pid = await s.pid_of(attempt)
        await s.printed(attempt, b"up")
        await wait_until(lambda: pid in members(attempt))
        assert f"{PREFIX}{attempt}" in proc(pid, "cgroup").decode()
        assert f"{PREFIX}" not in proc(s.client.pid, "cgroup").decode()
        await s.client.cancel(attempt, kill=True)
        await s.end_of(attempt)
        await wait_until(lambda: not (Path(HOME) / f"{PREFIX}{attempt}").exists())


DAEMON = "env -i setsid sh -c 'env -i setsid sleep 300 >/dev/null 2>&1 &' >/dev/null 2>&1"
"""Without environment, session and parent of the command that has started it."""


async def test_a_daemon_that_forgot_everything_is_counted_and_left(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        record = await s.run(shell(DAEMON))
        assert record.exit is not None
        assert (record.exit.state, record.exit.orphans) == ("succeeded", 1)
        [left] = marked(record.attempt)
        os.kill(left, 9)
        await wait_until(lambda: not alive(left))


async def test_a_daemon_that_forgot_everything_ends_with_a_command_that_is_told_to_end(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell(f"{DAEMON}; echo up; exec sleep 300"))
        await s.printed(attempt, b"up")
        pids = await wait_until(lambda: len(found := marked(attempt)) >= 2 and found)
        await s.client.cancel(attempt, kill=True)
        await s.end_of(attempt)
        await wait_until(lambda: not any(map(alive, pids)))


@needs_cgroups
async def test_what_a_command_started_before_it_got_its_group_comes_along(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("env -i setsid sleep 300 & (sleep 300; :) & echo up; wait"))
        await s.printed(attempt, b"up")
        await wait_until(lambda: members(attempt) == marked(attempt) and len(members(attempt)) >= 4)
        await s.client.cancel(attempt, kill=True)
        await s.end_of(attempt)
        await wait_until(lambda: not (Path(HOME) / f"{PREFIX}{attempt}").exists())


@needs_cgroups
async def test_the_next_supervisor_kills_what_a_dead_one_left(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell(f"{DAEMON}; env -i setsid sleep 300 & wait"))
        await wait_until(lambda: len(marked(attempt)) >= 3 and members(attempt))
        pids = marked(attempt)
        os.kill(s.client.pid, 9)
        await wait_until(lambda: s.gone)
    async with supervised(tmp_path) as s:
        await s.client.inventory()
        await wait_until(lambda: not any(map(alive, pids)))
        await s.run(shell("true"))
        assert not (Path(HOME) / f"{PREFIX}{attempt}").exists()


@pytest.fixture
def small_memory(processes: Processes) -> Iterator[list[str]]:
    """The start of a command line that runs what follows within 100 MiB of memory."""
    group = Path(own_group("memory") or "/nonexistent") / f"plumber-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(100 * 1024 * 1024))
    except OSError:
        pytest.skip("no memory cgroup can be made here: that needs root and the controller")
    yield ["/bin/sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"]
    processes.close()
    with contextlib.suppress(OSError):
        group.rmdir()


HOG = f"exec {sys.executable} -c 'b = bytearray(400 << 20); print(len(b))'"
ASK = """
import asyncio, json, sys
from pathlib import Path
from plumber_core.runner.supervision import Command, Exited, SupervisorClient

async def main():
    client = await SupervisorClient.attach(Path(sys.argv[1]))
    events = asyncio.Queue()
    following = asyncio.create_task(client.follow(events.put_nowait))
    for number, text in enumerate(sys.argv[2:]):
        command = Command(("/bin/sh", "-c", text), {"PATH": "/usr/bin:/bin"})
        await client.spawn(f"a{number}", command, permit_until=None, meta={})
        while not isinstance(event := await events.get(), Exited):
            pass
        end = event.record.exit
        print(json.dumps([end.signal, end.exit_code, end.oom]), flush=True)
    print("alive", client.pid, flush=True)

asyncio.run(main())
"""


@pytest.mark.row(81)
def test_a_kill_for_want_of_memory_is_told_apart_from_any_other(
    processes: Processes, tmp_path: Path, small_memory: list[str]
) -> None:
    texts = [HOG, "kill -9 $$", f"({HOG.removeprefix('exec ')}); exit $?", "exit 137"]
    link = processes.start("link", [*small_memory, sys.executable, "-c", ASK, tmp_path / "state", *texts])
    link.wait_for_output("alive", 30)
    assert link.output().splitlines()[:4] == [
        "[9, null, true]", "[9, null, false]", "[null, 137, true]", "[null, 137, false]",
    ]  # fmt: skip
