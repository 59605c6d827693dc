"""A link or a supervisor dies at any of its acts: every command runs at most once, and what it did is told once."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from plumber_core.model.limits import PERMIT_TTL_MIN
from support.api import only_attempt, show
from support.faulty import WITNESS, Patient, stopped, wait_for
from support.supervised import alive
from support.waiting import wait_until_sync

LONG = (
    "echo $PLUMBER_ATTEMPT >> witness; echo $$ > pid; echo begun; while [ ! -e stop ]; do sleep 0.05; done; echo done"
)
HELD = "trap '' TERM HUP; " + LONG


def begun(patient: Patient, text: str = LONG) -> str:
    """Start a step that runs until the file ``stop`` is there, and wait until it runs."""
    execution = patient.start(text)
    wait_until_sync(lambda: (patient.folder / "pid").exists() and patient.witnesses(), 20, "the command to run")
    wait_until_sync(lambda: patient.log(execution) == b"begun\n", 20, "the server to have its first line")
    return execution


def pid(patient: Patient) -> int:
    return int((patient.folder / "pid").read_text())


def assert_ran_once(patient: Patient, execution: str, log: bytes = b"done\n") -> None:
    step = patient.ended(execution)
    assert (step["state"], len(patient.witnesses())) == ("succeeded", 1)
    assert step["attempts"][-1]["id"] == patient.witnesses()[0]
    assert patient.log(execution) == log if len(step["attempts"]) == 1 else True


BEFORE_THE_SPAWN = [
    pytest.param("link.assigned", marks=[pytest.mark.row(1), pytest.mark.quick]),
    pytest.param("link.permit_got", marks=pytest.mark.row(4)),
]
AROUND_THE_SPAWN = [
    pytest.param("link.spawn_asked", marks=[pytest.mark.row(2), pytest.mark.quick]),
    pytest.param("link.spawned", marks=pytest.mark.row(6)),
]
AROUND_THE_REPORT = [
    pytest.param("link.report_sent", marks=[pytest.mark.row(9), pytest.mark.quick]),
    pytest.param("link.report_answered", marks=pytest.mark.row(10)),
    pytest.param("link.told_everything", marks=pytest.mark.row(10)),
]


@pytest.mark.parametrize("point", [*BEFORE_THE_SPAWN, *AROUND_THE_SPAWN])
def test_a_link_that_dies_around_the_start_lets_the_command_run_once(patient: Patient, point: str) -> None:
    patient.relink(PLUMBER_CRASH_AT=point)
    execution = patient.start(WITNESS)
    patient.crashed()
    patient.begin()
    assert_ran_once(patient, execution)


@pytest.mark.row(3)
def test_a_link_that_dies_while_it_asks_for_leave_lets_the_command_run_once(patient: Patient) -> None:
    """Frozen until its permit is too old, the link has to ask."""
    patient.relink(PLUMBER_CRASH_AT="link.start_sent", PLUMBER_FREEZE_AT="link.assigned")
    execution = patient.start(WITNESS)
    link = patient.agent.process
    wait_until_sync(lambda: stopped(link.pid), 20, "the link to stand still")
    wait_for(PERMIT_TTL_MIN + 0.5)
    link.send(signal.SIGCONT)
    patient.crashed()
    assert patient.witnesses() == []
    patient.begin()
    assert_ran_once(patient, execution)


@pytest.mark.row(6)
@pytest.mark.quick
def test_a_link_that_dies_right_after_the_spawn_is_followed_by_one_that_adopts_the_process(patient: Patient) -> None:
    patient.relink(PLUMBER_CRASH_AT="link.spawned")
    execution = patient.start(LONG)
    patient.crashed()
    wait_until_sync(lambda: patient.witnesses() and (patient.folder / "pid").read_text(), 20, "the command to run")
    number = pid(patient)
    patient.begin()
    patient.wait_for_state(execution, "running")
    assert alive(number)
    (patient.folder / "stop").touch()
    assert_ran_once(patient, execution, b"begun\ndone\n")
    assert only_attempt(show(patient.server, execution))["id"] == patient.witnesses()[0]


@pytest.mark.parametrize("point", AROUND_THE_REPORT)
def test_a_link_that_dies_around_the_report_tells_it_once_and_has_nothing_left_to_tell(
    patient: Patient, point: str
) -> None:
    patient.relink(PLUMBER_CRASH_AT=point)
    execution = patient.start(WITNESS)
    patient.crashed()
    patient.begin()
    assert_ran_once(patient, execution)
    wait_until_sync(lambda: patient.untold() == [], 20, "the attempt to be settled")


@pytest.mark.row(7)
def test_a_link_that_is_away_for_longer_than_the_lease_finds_its_command_unreachable_and_goes_on(
    patient: Patient,
) -> None:
    execution = begun(patient)
    patient.agent.process.kill()
    patient.wait_for_state(execution, "unreachable")
    patient.begin()
    patient.wait_for_state(execution, "running")
    assert alive(pid(patient))
    (patient.folder / "stop").touch()
    assert_ran_once(patient, execution, b"begun\ndone\n")


@pytest.mark.row(8)
@pytest.mark.quick
def test_a_link_that_stays_away_loses_the_step_and_tells_the_truth_beside_it_on_its_return(patient: Patient) -> None:
    execution = begun(patient, HELD)
    patient.agent.process.kill()
    patient.wait_for_state(execution, "lost", 40)
    (patient.folder / "stop").touch()
    wait_until_sync(lambda: not alive(pid(patient)), 10, "the command to end")
    patient.begin()
    wait_until_sync(lambda: late_of(patient, execution), 20, "the late outcome")
    assert late_of(patient, execution)["state"] == "succeeded"
    assert (patient.state_of(execution), len(patient.witnesses())) == ("lost", 1)


def late_of(patient: Patient, execution: str) -> dict[str, object]:
    return only_attempt(show(patient.server, execution)).get("late") or {}


BEFORE_THE_COMMAND = [
    pytest.param("supervisor.spawning_written", marks=[pytest.mark.row(5), pytest.mark.row(11), pytest.mark.quick]),
]
UNDER_THE_COMMAND = [
    pytest.param("supervisor.spawned", marks=[pytest.mark.row(11)]),
    pytest.param("supervisor.started_written", marks=[pytest.mark.row(12), pytest.mark.quick]),
    pytest.param("supervisor.reaped", marks=[pytest.mark.row(14), pytest.mark.quick]),
]


@pytest.mark.parametrize("point", [*BEFORE_THE_COMMAND, *UNDER_THE_COMMAND])
def test_a_supervisor_that_dies_before_an_exit_is_written_loses_the_step_which_never_runs_again(
    patient: Patient, point: str
) -> None:
    patient.anew(PLUMBER_CRASH_AT=point)
    execution = patient.start(f"{WITNESS}; sleep 0.1")
    step = patient.ended(execution)
    attempt = only_attempt(show(patient.server, execution))
    assert (step["state"], attempt["error"]) == ("lost", "supervisor_died")
    assert len(patient.witnesses()) <= (point != "supervisor.spawning_written")
    if point == "supervisor.reaped":
        assert patient.log(execution) in (b"", b"done\n")
        assert len(patient.witnesses()) == 1
    patient.relink()
    assert patient.state_of(execution) == "lost"
    assert len(patient.witnesses()) <= 1


@pytest.mark.parametrize("point", ["supervisor.exit_written", "supervisor.exit_synced"])
@pytest.mark.row(14)
def test_a_supervisor_that_dies_once_the_exit_is_written_loses_nothing(patient: Patient, point: str) -> None:
    patient.anew(PLUMBER_CRASH_AT=point)
    execution = patient.start(WITNESS)
    assert_ran_once(patient, execution)


@pytest.mark.row(13)
@pytest.mark.quick
def test_a_killed_supervisor_takes_its_command_with_it_and_the_step_is_lost(patient: Patient) -> None:
    execution = begun(patient, HELD)
    os.kill(patient.supervisor(), signal.SIGKILL)
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["error"]) == ("lost", "supervisor_died")
    wait_until_sync(lambda: not alive(pid(patient)), 10, "the command to be gone")
    assert patient.log(execution) == b"begun\n"
    assert len(patient.witnesses()) == 1


@pytest.mark.row(15)
def test_link_and_supervisor_killed_together_lose_the_step_when_the_next_ones_come(patient: Patient) -> None:
    execution = begun(patient, HELD)
    patient.agent.process.kill()
    patient.end_supervisor()
    assert alive(pid(patient)), "nobody is there yet to end it"
    patient.begin()
    step = patient.ended(execution)
    assert (step["state"], step["attempts"][0]["error"]) == ("lost", "supervisor_died")
    wait_until_sync(lambda: not alive(pid(patient)), 10, "the command to be gone")
    assert len(patient.witnesses()) == 1
    assert not [p for p in psutil.process_iter() if p.pid == pid(patient) and p.status() != psutil.STATUS_ZOMBIE]
