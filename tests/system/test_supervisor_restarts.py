"""A supervisor whose command restarts the machine: asked for once, whoever dies at any line."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from plumber_core.crash import CRASH_AT
from plumber_core.errors import SupervisorGone
from plumber_core.runner.clock import BOOT_ID_FILE
from plumber_core.runner.outputs import read_outputs
from plumber_core.runner.supervision import Record, SupervisorClient
from support.supervised import shell, supervised
from support.waiting import wait_until


@pytest.fixture
def boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file from which supervisors read the boot's id."""
    file = tmp_path / "boot"
    file.write_text("first\n")
    monkeypatch.setenv(BOOT_ID_FILE, str(file))
    return file


def proc_of(pid: str) -> Path:
    return Path("/proc") / pid.strip()


def went_down(boot: Path) -> None:
    boot.write_text("second\n")


def lines(file: Path) -> int:
    return len(file.read_text().split()) if file.exists() else 0


async def only(client: SupervisorClient) -> Record:
    [record] = await client.inventory()
    return record


async def test_what_does_not_go_down_fails_and_what_was_asked_can_be_left_alone(boot: Path, tmp_path: Path) -> None:
    async with supervised(tmp_path / "state") as s:
        never = await s.end_of(await s.spawn(shell("true", restarts=0.2)))
        refused = await s.end_of(await s.spawn(shell("echo no >&2; exit 3", restarts=60.0)))
        pid = tmp_path / "pid"
        asked = await s.spawn(shell(f"echo $$ > {pid}; kill -TERM $$", restarts=60.0))
        await wait_until(
            lambda: pid.exists() and (told := pid.read_text()) and not proc_of(told).exists(), 20, "its end"
        )
        await s.client.cancel(asked)
        left = await s.end_of(asked)
    ends = [(one.exit.state, one.exit.error) for one in (never, refused, left) if one.exit]
    assert ends == [("failed", "not_restarted"), ("failed", "restart_failed"), ("cancelled", "restart_asked")]


@pytest.mark.parametrize(
    ("point", "ran"),
    [("supervisor.restart_synced", 0), ("supervisor.spawned", None), ("supervisor.started_written", 1)],
)
async def test_it_is_asked_for_at_most_once_and_another_boot_is_its_success(
    boot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, ran: int | None
) -> None:
    state, witness = tmp_path / "state", tmp_path / "witness"
    command = shell(f"echo asked >> {witness}; sleep 300", restarts=300.0)
    monkeypatch.setenv(CRASH_AT, point)
    async with supervised(state) as s:
        with contextlib.suppress(SupervisorGone):
            await s.client.spawn("a", command, permit_until=None, meta={})
        await wait_until(lambda: s.gone, 20, "the supervisor to die")
    monkeypatch.delenv(CRASH_AT)
    async with supervised(state) as s:
        assert (await only(s.client)).state in ("spawning", "running")
        assert await s.client.spawn("a", command, permit_until=None, meta={}) == "known"
    times = lines(witness)
    assert times <= 1 if ran is None else times == ran
    went_down(boot)
    async with supervised(state) as s:
        record = await only(s.client)
        assert record.exit is not None and (record.state, record.exit.state) == ("exited", "succeeded")
        outputs = read_outputs(s.client.output_file("a"), written=record.exit.output)
        assert (outputs["boot_before"], outputs["boot_after"]) == ("first", "second")
        assert await s.client.spawn("a", command, permit_until=None, meta={}) == "known"


@pytest.mark.parametrize("point", ["supervisor.return_synced", "supervisor.leftover_written"])
async def test_who_dies_while_it_tells_of_the_return_tells_it_again(
    boot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    state = tmp_path / "state"
    async with supervised(state) as s:
        await s.spawn(shell("sleep 300", restarts=300.0), "a")
        await s.pid_of("a")
    went_down(boot)
    monkeypatch.setenv(CRASH_AT, point)
    with pytest.raises(Exception, match="did not start"):
        await SupervisorClient.attach(state)
    monkeypatch.delenv(CRASH_AT)
    async with supervised(state) as s:
        record = await only(s.client)
        assert record.exit is not None and (record.exit.state, record.exit.error) == ("succeeded", None)
        assert read_outputs(s.client.output_file("a"))["boot_after"] == "second"
