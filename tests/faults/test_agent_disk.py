"""The disk of an agent is full, fails or is gone: nothing starts that could not be told of, no end is invented."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api import only_attempt, show
from support.faulty import WITNESS, Patient, needs
from support.processes import Process
from support.supervised import alive
from support.waiting import wait_until_sync

MIB = 1024 * 1024
SIZE = 24 * MIB


@pytest.fixture
def cramped(patient: Patient) -> Iterator[Patient]:
    """An agent whose state folder lies on a disk of 24 MiB of its own."""
    patient.agent.process.stop()
    patient.end_supervisor()
    state = patient.agent.state_dir
    shutil.rmtree(state)
    state.mkdir(0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", state], check=False).returncode:
        pytest.skip("a file system cannot be mounted here: that needs root")
    patient.begin()
    patient.online()
    yield patient
    patient.processes.close()
    subprocess.run(["umount", "-l", state], check=False)


def fill(folder: Path, leave: int) -> Path:
    """Fill a disk up to so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while (free := os.statvfs(folder).f_bavail * os.statvfs(folder).f_bsize) > leave:
            file.write(bytes(min(free - leave, MIB)))
    return ballast


def refuses(patient: Patient) -> str:
    return str(patient.server.call("agent.show", agent=patient.agent.name)["facts"].get("refuses", ""))


def wait_until_it_refuses(patient: Patient, reason: str) -> None:
    wait_until_sync(lambda: refuses(patient) == reason, 20, f"the agent to say {reason!r}")


@pytest.mark.row(27)
@pytest.mark.quick
def test_a_full_disk_keeps_steps_waiting_and_says_so_and_they_run_once_there_is_room(cramped: Patient) -> None:
    ballast = fill(cramped.agent.state_dir, SIZE // 100)
    wait_until_it_refuses(cramped, "disk_pressure")
    execution = cramped.start(WITNESS)
    assert cramped.state_of(execution) == "ready"
    assert cramped.witnesses() == []
    ballast.unlink()
    step = cramped.ended(execution)
    assert (step["state"], len(cramped.witnesses())) == ("succeeded", 1)
    wait_until_it_refuses(cramped, "")


@pytest.mark.row(28)
@pytest.mark.quick
def test_a_disk_that_fills_up_makes_the_command_wait_for_the_server_and_loses_no_byte(cramped: Patient) -> None:
    """The server takes what there is, so the command goes on with a disk that stays full."""
    text = "echo up; while [ ! -e go ]; do sleep 0.05; done; yes 123456789 | head -c 6000000; echo end; exit 3"
    execution = cramped.start(text)
    wait_until_sync(lambda: cramped.state_of(execution) == "running", 20, "the step to run")
    wait_until_sync(lambda: cramped.log(execution) == b"up\n", 20, "its first line")
    fill(cramped.agent.state_dir, MIB)
    wait_until_it_refuses(cramped, "disk_pressure")
    (cramped.folder / "go").touch()
    step = cramped.ended(execution, 60)
    assert (step["state"], only_attempt(show(cramped.server, execution))["exit_code"]) == ("failed", 3)
    assert cramped.log(execution) == b"up\n" + b"123456789\n" * 600_000 + b"end\n"


@pytest.mark.row(28)
def test_a_disk_without_a_single_byte_left_still_takes_the_exit(cramped: Patient) -> None:
    """No server, no room: the exit lies in the journal's reserve, and outlives the supervisor."""
    execution = cramped.start("echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done; exit 7")
    wait_until_sync((cramped.folder / "pid").exists, 20, "the command to run")
    cramped.agent.process.kill()
    fill(cramped.agent.state_dir, 0)
    (cramped.folder / "go").touch()
    journal = cramped.agent.state_dir / "journal"
    wait_until_sync(lambda: b'"kind":"exit"' in journal.read_bytes(), 20, "the exit to be written")
    cramped.end_supervisor()
    cramped.begin()
    step = cramped.ended(execution)
    assert (step["state"], only_attempt(show(cramped.server, execution))["exit_code"]) == ("failed", 7)


class Tampered:
    """A supervisor whose system calls fail as ``strace`` is told."""

    def __init__(self, patient: Patient, *rules: str) -> None:
        self._log = patient.agent.state_dir.parent / "strace.out"
        options = ["-qq", "-o", self._log, "-p", str(patient.supervisor()), "-P", patient.agent.state_dir / "journal"]
        options += ["-P", patient.agent.state_dir / "journal.new"]
        self._strace: Process = patient.processes.start("strace", ["strace", *options, *rules])
        self._pid = patient.supervisor()
        wait_until_sync(self._attached, 20, "strace to be attached")

    def _attached(self) -> bool:
        assert self._strace.exit_code is None, self._strace.output()
        return f"TracerPid:\t{self._strace.pid}\n" in Path(f"/proc/{self._pid}/status").read_text()

    def injected(self) -> int:
        return self._log.read_text().count("(INJECTED)")

    def mend(self) -> None:
        self._strace.send(signal.SIGTERM)
        self._strace.wait()


@pytest.mark.row(29)
@pytest.mark.quick
@needs("strace", root=True)
def test_a_disk_that_fails_as_a_start_is_written_starts_nothing_until_it_works_again(patient: Patient) -> None:
    tampered = Tampered(patient, "-e", "inject=write:error=EIO")
    execution = patient.start(WITNESS)
    wait_until_it_refuses(patient, "disk_pressure")
    assert patient.witnesses() == []
    assert tampered.injected() >= 2, "neither the start nor the proof against it could be written"
    assert patient.state_of(execution) == "running", "nothing is proven, so nothing is concluded"
    tampered.mend()
    step = patient.ended(execution)
    assert (step["state"], len(patient.witnesses())) == ("succeeded", 1)


@pytest.mark.row(29)
@needs("strace", root=True)
def test_a_disk_that_failed_once_gives_the_step_back_with_proof(patient: Patient) -> None:
    tampered = Tampered(patient, "-e", "inject=write:error=EIO:when=1")
    execution = patient.start(WITNESS)
    wait_until_it_refuses(patient, "disk_pressure")
    assert patient.witnesses() == []
    step = patient.ended(execution)
    assert (step["state"], len(patient.witnesses()), tampered.injected()) == ("succeeded", 1, 1)
    assert [attempt["state"] for attempt in step["attempts"]] == ["never_ran", "succeeded"]


@pytest.mark.row(30)
@pytest.mark.quick
@needs("strace", root=True)
def test_an_exit_that_cannot_be_made_durable_is_written_to_a_second_file(patient: Patient) -> None:
    journal = patient.agent.state_dir / "journal"
    first = journal.stat().st_ino
    tampered = Tampered(patient, "-e", "inject=fdatasync:error=EIO:when=1")
    execution = patient.start("echo $PLUMBER_ATTEMPT >> witness; exit 5")
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["exit_code"]) == ("failed", 5)
    wait_until_sync(lambda: journal.stat().st_ino != first, 20, "the second file")
    assert tampered.injected() == 1
    tampered.mend()
    assert patient.ended(patient.start(WITNESS))["state"] == "succeeded"


@pytest.mark.row(30)
@needs("strace", root=True)
def test_a_disk_that_keeps_failing_invents_no_success_and_forgets_no_exit(patient: Patient) -> None:
    tampered = Tampered(patient, "-e", "inject=fdatasync,fsync:error=EIO")
    execution = patient.start("echo $PLUMBER_ATTEMPT >> witness; exit 5")
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["exit_code"]) == ("failed", 5)
    waiting = patient.start(WITNESS)
    wait_until_it_refuses(patient, "disk_pressure")
    assert len(patient.witnesses()) == 1
    tampered.mend()
    assert patient.ended(waiting)["state"] == "succeeded"


@pytest.mark.row(26)
@pytest.mark.quick
def test_a_state_folder_that_is_deleted_loses_the_step_with_its_supervisor_and_never_runs_it_again(
    patient: Patient,
) -> None:
    execution = patient.start("echo $$ > pid; echo $PLUMBER_ATTEMPT >> witness; sleep 300")
    wait_until_sync(lambda: (patient.folder / "pid").exists() and patient.witnesses(), 20, "the command to run")
    supervisor, pid = patient.supervisor(), int((patient.folder / "pid").read_text())
    patient.agent.process.kill()
    shutil.rmtree(patient.agent.state_dir)
    patient.begin()
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["error"]) == ("lost", "state_lost")
    assert len(patient.witnesses()) == 1
    os.kill(supervisor, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    assert patient.ended(patient.start(WITNESS))["state"] == "succeeded"


@pytest.mark.row(26)
def test_files_that_are_deleted_under_a_running_command_change_nothing_of_its_exit(patient: Patient) -> None:
    execution = patient.start("echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done; exit 9")
    wait_until_sync((patient.folder / "pid").exists, 20, "the command to run")
    shutil.rmtree(patient.agent.state_dir / "spool")
    (patient.folder / "go").touch()
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["exit_code"]) == ("failed", 9)
    assert not alive(int((patient.folder / "pid").read_text()))
