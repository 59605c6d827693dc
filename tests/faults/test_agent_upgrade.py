"""An agent is upgraded while its steps run: the next link, or an older supervisor, goes on with the same processes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

import plumber_core
from plumber_core.version import __version__
from support.api import only_attempt, raw_log, show, wait_until_complete
from support.faulty import WITNESS, Patient
from support.supervised import alive, proc
from support.waiting import wait_until_sync

SOURCE = Path(plumber_core.__file__).parents[1]
OTHER = "99.0.0"
COUNTING = """
echo $$ > pid.$PLUMBER_STEP; n=0
while [ ! -e stop ]; do n=$((n+1)); echo "line $n"; echo "error $n" >&2; sleep 0.02; done
echo $n > total.$PLUMBER_STEP
"""


def other_release(folder: Path) -> Path:
    """Return the sources of another release of the agent, in a place of their own."""
    for package in ("plumber_core", "plumber_agent"):
        shutil.copytree(SOURCE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "zh"))
    version = folder / "plumber_core" / "version.py"
    version.write_text(version.read_text().replace(__version__, OTHER) + f'\n__version__ = "{OTHER}"\n')
    return folder


def begin_other(patient: Patient, release: Path, *options: str) -> None:
    """Start the link of another release."""
    agent = patient.agent
    places = ["--config", agent.config, "--workdir", agent.workdir, "--state-dir", agent.state_dir, *options]
    run = "from plumber_agent.main import main; raise SystemExit(main())"
    agent.process = patient.processes.start(
        agent.name, [sys.executable, "-c", run, *places], PYTHONPATH=str(release), PYTHONDONTWRITEBYTECODE="1"
    )


def version_of(patient: Patient) -> str:
    return str(patient.server.call("agent.show", agent=patient.agent.name)["version"])


def begun(patient: Patient, count: int) -> list[str]:
    """Start so many executions of one step each and wait until all of them print."""
    executions = [patient.start({"name": f"s{n}", "run": COUNTING}) for n in range(count)]
    wait_until_sync(lambda: len(list(patient.folder.glob("pid.*"))) == count, 60, "all commands to run")
    for execution in executions:
        wait_until_sync(lambda e=execution: b"line 3\n" in patient.log(e), 60, "its output")
    return executions


def pids(patient: Patient, count: int) -> list[int]:
    return [int((patient.folder / f"pid.s{n}").read_text()) for n in range(count)]


def assert_whole(patient: Patient, executions: list[str]) -> None:
    """Every step ended well, was started once, and no byte of either stream is missing."""
    for number, execution in enumerate(executions):
        step = patient.ended(execution, 60)
        attempt = only_attempt(show(patient.server, execution))["id"]
        assert step["state"] == "succeeded"
        wait_until_complete(patient.server, attempt)
        total = int((patient.folder / f"total.s{number}").read_text())
        for stream, word in (("stdout", "line"), ("stderr", "error")):
            expected = "".join(f"{word} {n}\n" for n in range(1, total + 1))
            assert raw_log(patient.server, attempt, stream) == expected.encode()


@pytest.mark.row(19)
@pytest.mark.parametrize("count", [pytest.param(8, marks=pytest.mark.quick), 50])
def test_an_upgrade_keeps_every_process_and_every_byte_of_what_runs(
    patient: Patient, tmp_path: Path, count: int
) -> None:
    patient.relink("--slots", str(count))
    executions = begun(patient, count)
    before = pids(patient, count)
    release = other_release(tmp_path / "release")
    assert patient.agent.process.stop() == 0
    begin_other(patient, release, "--slots", str(count))
    wait_until_sync(lambda: version_of(patient) == OTHER, 30, "the new release to be heard")
    for execution in executions:
        patient.wait_for_state(execution, "running")
    assert pids(patient, count) == before and all(map(alive, before))
    (patient.folder / "stop").touch()
    assert_whole(patient, executions)


@pytest.mark.row(20)
@pytest.mark.quick
def test_a_link_of_this_release_adopts_the_supervisor_of_another_one(patient: Patient, tmp_path: Path) -> None:
    release = other_release(tmp_path / "release")
    patient.agent.process.stop()
    patient.end_supervisor()
    begin_other(patient, release)
    patient.online()
    executions = begun(patient, 1)
    before, [pid] = patient.supervisor(), pids(patient, 1)
    assert str(release).encode() in proc(before, "cmdline")
    patient.agent.process.kill()
    patient.begin()
    wait_until_sync(lambda: version_of(patient) == __version__, 30, "this release to be heard")
    assert (patient.supervisor(), pids(patient, 1)) == (before, [pid])
    assert alive(pid)
    (patient.folder / "stop").touch()
    assert_whole(patient, executions)
    wait_until_sync(lambda: patient.supervisor() != before, 20, "the supervisor to be replaced, now that it is idle")
    patient.online()
    assert str(release).encode() not in proc(patient.supervisor(), "cmdline")
    wait_until_sync(lambda: not alive(before), 20, "the older one to be gone")
    assert patient.ended(patient.start(WITNESS))["state"] == "succeeded"


@pytest.mark.row(21)
def test_a_service_manager_that_kills_everything_loses_the_step_and_does_not_repeat_it(patient: Patient) -> None:
    execution = patient.start("echo $$ > pid; echo $PLUMBER_ATTEMPT >> witness; sleep 300")
    wait_until_sync(lambda: patient.witnesses(), 20, "the command to run")
    for pid in (patient.agent.process.pid, patient.supervisor(), int((patient.folder / "pid").read_text())):
        os.kill(pid, signal.SIGKILL)
    patient.agent.process.wait()
    patient.begin()
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["error"]) == ("lost", "supervisor_died")
    assert len(patient.witnesses()) == 1


@pytest.mark.row(19)
@pytest.mark.quick
def test_an_agent_that_drains_ends_when_its_last_step_is_told_and_takes_no_other(patient: Patient) -> None:
    patient.relink("--drain", "300")
    running = patient.start("echo $PLUMBER_ATTEMPT >> witness; while [ ! -e stop ]; do sleep 0.05; done")
    wait_until_sync(lambda: patient.witnesses(), 20, "the command to run")
    patient.agent.process.send(signal.SIGTERM)
    shown = lambda: patient.server.call("agent.show", agent=patient.agent.name)["facts"]  # noqa: E731
    wait_until_sync(lambda: shown().get("refuses") == "stopping", 20, "the agent to say that it stops")
    waiting = patient.start(WITNESS)
    assert patient.agent.process.exit_code is None
    (patient.folder / "stop").touch()
    assert patient.agent.process.wait(20) == 0
    assert patient.ended(running)["state"] == "succeeded"
    assert patient.state_of(waiting) == "ready"
    patient.begin()
    assert patient.ended(waiting)["state"] == "succeeded"
