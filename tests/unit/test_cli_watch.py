"""Watching shows every line of every host, in order, and ends with the execution."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable

import pytest
from rich.console import Console

from plumber_core.errors import NotFound, Unreachable
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.views import ExecutionDetail, LogSlice
from plumber_core.protocol.frames import STDERR, SYSTEM
from plumber_core.terminal import feeds
from plumber_core.terminal import watch as watching
from plumber_core.terminal.following import watch_to_exit
from plumber_core.terminal.live import LiveScreen
from plumber_core.terminal.screen import PlainScreen
from plumber_core.terminal.watch import exit_code, watch
from support.scripted_plane import ScriptedPlane
from support.waiting import wait_until


class Watched:
    """A running watch and what it has printed so far."""

    def __init__(self, plane: ScriptedPlane, *, raw: bool = False) -> None:
        self.file = io.StringIO()
        self.screen = PlainScreen(Console(file=self.file, width=90, highlight=False), raw=raw)
        self.task = asyncio.ensure_future(watch(plane, "x-1", self.screen))
        self.plane = plane

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.file.getvalue().splitlines() if line.strip()]

    async def shows(self, text: str) -> None:
        await wait_until(lambda: text in self.file.getvalue(), what=f"{text!r} to be shown")

    async def ends(self) -> ExecutionDetail:
        async with asyncio.timeout(10):
            return await self.task


Start = Callable[..., Watched]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    running: list[Watched] = []

    def begin(plane: ScriptedPlane, *, raw: bool = False) -> Watched:
        running.append(Watched(plane, raw=raw))
        return running[-1]

    yield begin
    for watched in running:
        watched.task.cancel()
        await asyncio.gather(watched.task, return_exceptions=True)


async def test_output_is_shown_while_the_step_runs(start: Start) -> None:
    plane = ScriptedPlane(["build"], ["web-1"])
    watched = start(plane)
    await wait_until(lambda: plane.followed)
    plane.start("build", "web-1")
    plane.output("build", "web-1", b"compiling\n")
    await watched.shows("web-1 │ compiling")
    plane.output("build", "web-1", b"careful\n", STDERR)
    await watched.shows("web-1 ! careful")
    plane.end("build", "web-1")
    plane.settle(ExecutionState.SUCCEEDED)
    assert exit_code(await watched.ends()) == 0


async def test_the_whole_story_of_two_hosts(start: Start) -> None:
    plane = ScriptedPlane(["build", "install"], ["web-1", "web-2"])
    watched = start(plane)
    for step in plane.steps:
        for host in plane.hosts:
            plane.start(step, host)
            plane.output(step, host, f"{step} on {host}\n".encode())
        plane.output(step, "web-1", b"no end of line")
        plane.output(step, "web-1", b"adopted\n", SYSTEM)
        plane.end(step, "web-1")
        failed = step == "install"
        plane.end(step, "web-2", StepState.FAILED if failed else StepState.SUCCEEDED, exit_code=3 if failed else 0)
        await watched.shows("exit 3" if failed else "web-2 ✓ build")
    plane.settle(ExecutionState.FAILED)
    assert exit_code(await watched.ends()) == 1
    text = "\n".join(watched.lines)
    assert watched.lines[0].startswith("deploy-shop  2 step(s) on 2 host(s) · x-1")
    assert text.index("── build ──") < text.index("web-1 │ build on web-1") < text.index("web-1 ✓ build")
    assert text.index("web-1 ✓ build") < text.index("── install ──") < text.index("web-2 ✗ install  exit 3")
    assert "web-1 │ no end of line" in text
    assert "web-1 · adopted" in text
    assert watched.lines[-1] == "✗ failed in 4.0 s  x-1"
    assert [" ".join(line.split()) for line in watched.lines[-5:-1]] == [
        "build web-1 ✓ succeeded exit 0 1.2 s",
        "web-2 ✓ succeeded exit 0 1.2 s",
        "install web-1 ✓ succeeded exit 0 1.2 s",
        "web-2 ✗ failed exit 3 1.2 s",
    ]


async def test_a_step_that_prints_nothing_is_shown_before_the_output_of_the_next_one(start: Start) -> None:
    plane = ScriptedPlane(["quiet", "silent", "loud"], ["web-1", "web-2"])
    watched = start(plane)
    await wait_until(lambda: plane.followed)
    for step in plane.steps:
        for host in plane.hosts:
            plane.start(step, host)
            if step == "loud":
                plane.output(step, host, b"hello\n")
            plane.end(step, host)
    plane.settle(ExecutionState.SUCCEEDED)
    await watched.ends()
    headings = [line.split()[1] for line in watched.lines if line.startswith("── ")]
    ends = [line.split()[2] for line in watched.lines if " ✓ " in line and line.startswith("web-")][:6]
    assert headings == ["quiet", "silent", "loud"]
    assert ends == ["quiet", "quiet", "silent", "silent", "loud", "loud"]


async def test_an_execution_that_has_ended_is_shown_from_its_beginning(start: Start) -> None:
    plane = ScriptedPlane(["build"], ["web-1"])
    plane.start("build", "web-1")
    for number in range(2000):
        plane.output("build", "web-1", f"line {number}\n".encode())
    plane.end("build", "web-1")
    plane.settle(ExecutionState.SUCCEEDED)
    watched = start(plane)
    await watched.ends()
    shown = [line for line in watched.lines if "│ line" in line]
    assert shown == [f"web-1 │ line {number}" for number in range(2000)]


async def test_bytes_that_become_durable_after_the_end_are_not_lost(start: Start) -> None:
    plane = ScriptedPlane(["build"], ["web-1"])
    attempt = plane.start("build", "web-1")
    plane.output("build", "web-1", b"early\n")
    plane.end("build", "web-1", log=False)
    plane.settle(ExecutionState.SUCCEEDED)
    watched = start(plane)
    await watched.shows("early")
    assert not watched.task.done()
    assert "✓ succeeded" not in watched.file.getvalue()
    plane.logs[attempt].complete = True
    plane.output("build", "web-1", b"late\n")
    # The execution has ended, so nobody listens for hints: the rest is asked for again.
    shown = (await watched.ends()).steps[0].attempts[0]
    assert "web-1 │ late" in watched.lines
    assert (shown.log_complete, shown.log_end) == (True, len(plane.logs[attempt].data))


async def test_a_log_that_never_becomes_complete_ends_with_a_remark(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "LOG_GRACE", 0.05)
    plane = ScriptedPlane(["build"], ["web-1"])
    plane.start("build", "web-1")
    plane.output("build", "web-1", b"half\n")
    plane.end("build", "web-1", StepState.LOST, exit_code=None, log=False)
    plane.settle(ExecutionState.FAILED)
    watched = start(plane)
    await watched.ends()
    assert any("the end of the output is missing" in line for line in watched.lines)


async def test_without_hints_output_comes_with_the_next_event(start: Start) -> None:
    plane = ScriptedPlane(["build"], ["web-1"], hints=False)
    watched = start(plane)
    await wait_until(lambda: plane.followed)
    plane.start("build", "web-1")
    plane.output("build", "web-1", b"quiet\n")
    plane.end("build", "web-1")
    plane.settle(ExecutionState.SUCCEEDED)
    await watched.ends()
    assert "web-1 │ quiet" in watched.lines


async def test_a_lost_event_only_delays(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "REFRESH", 0.05)
    plane = ScriptedPlane(["build"], ["web-1"])
    watched = start(plane)
    await wait_until(lambda: plane.followed)
    plane._followers.clear()
    plane.start("build", "web-1")
    plane.end("build", "web-1")
    plane.settle(ExecutionState.SUCCEEDED)
    assert (await watched.ends()).state is ExecutionState.SUCCEEDED


async def test_a_server_that_goes_away_is_waited_for(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    plane = ScriptedPlane(["build"], ["web-1"])
    away = [2]

    async def read_log(attempt: str, offset: int = 0, limit: int = 1024 * 1024) -> LogSlice:
        if away[0]:
            away[0] -= 1
            raise Unreachable(url="http://s", reason="Connection refused")
        return await ScriptedPlane.read_log(plane, attempt, offset, limit)

    monkeypatch.setattr(plane, "read_log", read_log)
    watched = start(plane)
    plane.start("build", "web-1")
    plane.output("build", "web-1", b"after all\n")
    await watched.shows("web-1 │ after all")
    assert watched.file.getvalue().count("Cannot reach http://s: Connection refused.") == 1
    plane.end("build", "web-1")
    plane.settle(ExecutionState.SUCCEEDED)
    await watched.ends()


async def test_retries_of_a_step_are_shown_one_after_the_other(start: Start) -> None:
    plane = ScriptedPlane(["build"], ["web-1"])
    watched = start(plane)
    for attempt in (1, 2):
        plane.start("build", "web-1")
        plane.output("build", "web-1", f"try {attempt}\n".encode())
        plane.end("build", "web-1", StepState.FAILED if attempt == 1 else StepState.SUCCEEDED, exit_code=attempt - 1)
    plane.settle(ExecutionState.SUCCEEDED)
    await watched.ends()
    text = watched.file.getvalue()
    assert text.index("try 1") < text.index("try 2")
    assert "(try 2)" in text


async def test_a_hostile_name_cannot_steer_the_terminal(start: Start) -> None:
    plane = ScriptedPlane(["\x1b[2Jbuild"], ["web\x1b]0;t\x07-1"])
    watched = start(plane)
    plane.start(plane.steps[0], plane.hosts[0])
    plane.output(plane.steps[0], plane.hosts[0], b"\x1b[2Jx\n")
    plane.end(plane.steps[0], plane.hosts[0])
    plane.settle(ExecutionState.SUCCEEDED)
    await watched.ends()
    assert "\x1b" not in watched.file.getvalue()
    assert "web-1 │ x" in watched.lines


async def test_an_unknown_execution_is_refused() -> None:
    with pytest.raises(NotFound):
        await watch(ScriptedPlane(["a"], ["b"]), "x-2", PlainScreen(Console(file=io.StringIO())))


async def test_the_terminal_shows_the_same_lines_and_a_status_that_goes_away() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=90, height=30, color_system="standard")
    plane = ScriptedPlane(["build"], ["web-1", "web-2"])
    task = asyncio.ensure_future(watch(plane, "x-1", LiveScreen(console)))
    await wait_until(lambda: plane.followed)
    for host in plane.hosts:
        plane.start("build", host)
        plane.output("build", host, f"\x1b[32mfrom {host}\x1b[0m\n".encode())
    plane.output("build", "web-1", b"\r10%\r55%")
    await wait_until(lambda: "55%" in file.getvalue(), what="the progress bar in the status")
    for host in plane.hosts:
        plane.end("build", host)
    plane.settle(ExecutionState.SUCCEEDED)
    async with asyncio.timeout(10):
        await task
    text = file.getvalue()
    assert "\x1b[32mfrom web-1\x1b[0m" in text
    assert "● running" in text
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h") < text.rindex("✓ succeeded")


async def test_ctrl_c_leaves_the_execution_alone_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    plane = ScriptedPlane(["build"], ["web-1"])
    task = asyncio.ensure_future(watch_to_exit(plane, "x-1"))
    await wait_until(lambda: plane.followed)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert plane.cancelled == []
    remarks = capsys.readouterr().err
    assert "plumber execution watch x-1" in remarks
    assert "plumber execution cancel x-1" in remarks
