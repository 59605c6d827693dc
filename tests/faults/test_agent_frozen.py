"""An agent's programs stand still, its machine reboots, its clock is wrong: nothing is started late or twice."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import date
from pathlib import Path

import pytest

from plumber_core.model.limits import PERMIT_TTL_MIN
from plumber_core.runner.supervisor import PERMIT_SLACK
from support.api import only_attempt, show
from support.faulty import WITNESS, Patient, needs, stopped, wait_for
from support.supervised import alive
from support.waiting import wait_until_sync

COUNTING = """
echo $PLUMBER_ATTEMPT >> witness; n=0
while [ ! -e stop ]; do n=$((n+1)); echo $n; sleep 0.01; done
echo $n > total
"""


@pytest.mark.row(17)
@pytest.mark.quick
def test_a_frozen_link_is_unreachable_then_goes_on_and_nothing_runs_twice_or_is_missing(patient: Patient) -> None:
    execution = patient.start(COUNTING)
    wait_until_sync(lambda: patient.witnesses(), 20, "the command to run")
    link = patient.agent.process
    link.send(signal.SIGSTOP)
    patient.wait_for_state(execution, "unreachable")
    link.send(signal.SIGCONT)
    patient.wait_for_state(execution, "running")
    (patient.folder / "stop").touch()
    step = patient.ended(execution)
    assert (step["state"], len(patient.witnesses()), len(step["attempts"])) == ("succeeded", 1, 1)
    total = int((patient.folder / "total").read_text())
    assert patient.log(execution) == b"".join(b"%d\n" % n for n in range(1, total + 1))


@pytest.mark.row(17)
def test_a_link_frozen_until_its_step_is_lost_tells_the_truth_beside_it(patient: Patient) -> None:
    execution = patient.start(WITNESS + "; sleep 2")
    wait_until_sync(lambda: patient.witnesses(), 20, "the command to run")
    patient.agent.process.send(signal.SIGSTOP)
    patient.wait_for_state(execution, "lost", 40)
    patient.agent.process.send(signal.SIGCONT)
    wait_until_sync(lambda: only_attempt(show(patient.server, execution))["late"], 20, "the late outcome")
    assert (patient.state_of(execution), len(patient.witnesses())) == ("lost", 1)


@pytest.mark.row(18)
@pytest.mark.quick
def test_a_link_frozen_with_a_permit_in_hand_does_not_use_it_when_it_wakes(patient: Patient) -> None:
    patient.relink(PLUMBER_FREEZE_AT="link.permit_got")
    execution = patient.start(WITNESS)
    link = patient.agent.process
    wait_until_sync(lambda: stopped(link.pid), 20, "the link to stand still")
    wait_for(PERMIT_TTL_MIN + 0.1)
    link.send(signal.SIGCONT)
    assert_only_a_fresh_permit_was_used(patient, execution)


@pytest.mark.row(18)
def test_a_supervisor_frozen_right_before_the_start_does_not_start_when_it_wakes(patient: Patient) -> None:
    patient.anew(PLUMBER_FREEZE_AT="supervisor.spawning_written")
    execution = patient.start(WITNESS)
    wait_until_sync(lambda: stopped(patient.supervisor()), 20, "the supervisor to stand still")
    wait_for(PERMIT_TTL_MIN + PERMIT_SLACK + 0.1)
    os.kill(patient.supervisor(), signal.SIGCONT)
    assert_only_a_fresh_permit_was_used(patient, execution)


def assert_only_a_fresh_permit_was_used(patient: Patient, execution: str) -> None:
    step = patient.ended(execution)
    first, second = step["attempts"]
    assert (step["state"], first["state"], second["state"]) == ("succeeded", "never_ran", "succeeded")
    assert patient.witnesses() == [second["id"]]


@pytest.mark.row(67)
@pytest.mark.quick
def test_a_timeout_that_passed_while_everything_stood_still_is_kept_on_waking(patient: Patient) -> None:
    """As after a suspend: the clock of the boot has gone on."""
    execution = patient.start({"run": "echo $$ > pid; sleep 300", "timeout": "4s", "grace": "0s"})
    wait_until_sync(lambda: file_says(patient.folder / "pid"), 20, "the command to run")
    everything = [patient.agent.process.pid, patient.supervisor(), int((patient.folder / "pid").read_text())]
    for pid in everything:
        os.kill(pid, signal.SIGSTOP)
    wait_for(5)
    for pid in reversed(everything):
        os.kill(pid, signal.SIGCONT)
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["error"]) == ("timed_out", "timeout")
    assert not alive(everything[2])


def file_says(file: Path) -> bool:
    """Say whether something stands in a file by now: a shell makes it before it writes."""
    return file.exists() and bool(file.read_text())


BOOT = "/proc/sys/kernel/random/boot_id"


def booted(name: str, folder: Path) -> tuple[str, ...]:
    """Return what makes a program believe that this is another boot."""
    file = folder / name
    file.write_text(f"{name}\n")
    return ("unshare", "-m", "sh", "-c", f'mount --bind {file} {BOOT} && exec "$@"', "sh")


@pytest.mark.row(16)
@pytest.mark.quick
@needs("unshare", "mount", root=True)
def test_after_a_reboot_what_ran_is_lost_and_what_had_ended_is_told(patient: Patient, tmp_path: Path) -> None:
    patient.agent.process.stop()
    patient.end_supervisor()
    patient.begin(under=booted("first-boot", tmp_path))
    patient.online()
    running = patient.start("echo $$ > pid; echo $PLUMBER_ATTEMPT >> witness; sleep 300")
    ending = patient.start("echo $$ > ending; while [ ! -e stop ]; do sleep 0.05; done; echo told; exit 3")
    wait_until_sync(lambda: patient.witnesses() and file_says(patient.folder / "ending"), 20, "both to run")
    patient.agent.process.kill()
    (patient.folder / "stop").touch()
    journal = patient.agent.state_dir / "journal"
    wait_until_sync(lambda: b'"exit_code":3' in journal.read_bytes(), 20, "the exit to be written")
    patient.end_supervisor()
    os.kill(int((patient.folder / "pid").read_text()), signal.SIGKILL)
    patient.begin(under=booted("second-boot", tmp_path))
    step = patient.ended(running)
    assert (step["state"], step["attempts"][0]["error"]) == ("lost", "rebooted")
    step = patient.ended(ending)
    assert (step["state"], step["attempts"][0]["exit_code"], patient.log(ending)) == ("failed", 3, b"told\n")
    assert len(patient.witnesses()) == 1


@pytest.mark.row(16)
@needs("unshare", "mount", root=True)
def test_a_step_that_was_handed_out_before_a_reboot_is_not_started_after_it(patient: Patient, tmp_path: Path) -> None:
    patient.agent.process.stop()
    patient.end_supervisor()
    patient.begin(under=booted("first-boot", tmp_path), PLUMBER_CRASH_AT="link.assigned")
    patient.online()
    execution = patient.start(WITNESS)
    patient.agent.process.wait(20)
    patient.end_supervisor()
    patient.begin(under=booted("second-boot", tmp_path))
    assert (patient.ended(execution)["state"], patient.witnesses()) == ("lost", [])


@pytest.mark.row(66)
@pytest.mark.parametrize("shift", ["+10y", "-10y"])
@needs("faketime")
def test_an_agent_whose_wall_clock_is_ten_years_off_works_as_any_other(patient: Patient, shift: str) -> None:
    patient.agent.process.stop()
    patient.end_supervisor()
    patient.begin(**wrong_clock(shift))
    year = f"{date.today().year + int(shift[:3])}-"
    wait_until_sync(lambda: year in patient.agent.process.output(), 20, "its own log to show the wrong year")
    patient.online()
    execution = patient.start(WITNESS, WITNESS)
    [one, two] = [s["state"] for s in _steps(patient, execution)]
    assert (one, two, len(patient.witnesses())) == ("succeeded", "succeeded", 2)
    slow = patient.start({"run": "sleep 300", "timeout": "1s"})
    assert patient.ended(slow)["state"] == "timed_out"


def wrong_clock(shift: str) -> dict[str, str]:
    """Return the environment of a program whose wall clock is so far off, and no other."""
    command = ["faketime", "-f", shift, "printenv", "LD_PRELOAD"]
    library = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return {"LD_PRELOAD": library, "FAKETIME": shift, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _steps(patient: Patient, execution: str) -> list[dict[str, object]]:
    from support.api import ended

    found: list[dict[str, object]] = ended(patient.server, execution)["steps"]
    return found
