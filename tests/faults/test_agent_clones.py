"""Two agents with one identity: they are noticed, and whatever they do, no step runs twice."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace

import pytest

from plumber_agent.main import MISCONFIGURED
from support.faulty import WITNESS, Patient, stopped
from support.processes import PROGRAMS
from support.programs import write_agent_json
from support.waiting import wait_until_sync

HELD = "echo $PLUMBER_ATTEMPT >> witness; while [ ! -e stop ]; do sleep 0.05; done; echo done"


@pytest.mark.row(22)
@pytest.mark.quick
def test_a_second_agent_on_one_state_folder_ends_and_names_the_first(patient: Patient) -> None:
    first = patient.agent.process
    places = ["--config", patient.agent.config, "--workdir", patient.agent.workdir]
    second = patient.processes.start(
        "second", [PROGRAMS / "plumber-agent", *places, "--state-dir", patient.agent.state_dir]
    )
    assert second.wait(20) == 1
    assert str(first.pid) in second.output()
    assert patient.ended(patient.start(WITNESS))["state"] == "succeeded"


def copied(patient: Patient, name: str) -> Patient:
    """Return a copy of an agent as a cloned disk holds it, not started yet; its steps run in the same folder."""
    home = patient.processes.folder / name
    shutil.copytree(patient.agent.state_dir, home / "state", ignore=shutil.ignore_patterns("*.sock"))
    shutil.copy(patient.agent.config, home / "agent.json")
    agent = replace(patient.agent, config=home / "agent.json", state_dir=home / "state")
    return Patient(patient.server, agent, patient.processes)


ENDS_OF_A_CLONED_STEP = ("succeeded", "failed", "lost")
"""Here both copies share a machine: the second one's supervisor takes the first one's command for a leftover of its own
and ends it. Whatever its end, there was one start."""
LOCKED_OUT = "another copy of this agent is alive"


def noticed(*copies: Patient) -> bool:
    return any(LOCKED_OUT in copy.agent.process.output() for copy in copies)


def decide_for(patient: Patient) -> None:
    """The operator says which one is real: he gives it a new credential."""
    config = patient.server.call("agent.rotate", agent=patient.agent.name)
    patient.agent.process.stop()
    write_agent_json(patient.agent.config, config, patient.server.url)
    patient.begin()


@pytest.mark.row(23)
@pytest.mark.quick
def test_a_clone_beside_its_original_is_noticed_and_a_new_credential_decides_who_is_real(patient: Patient) -> None:
    running = patient.start(HELD)
    wait_until_sync(lambda: patient.witnesses(), 20, "the command to run")
    clone = copied(patient, "clone")
    clone.begin()
    wait_until_sync(lambda: noticed(patient, clone), 30, "the clone to be noticed")
    waiting = patient.start(WITNESS)
    (patient.folder / "stop").touch()
    decide_for(patient)
    assert patient.ended(waiting, 60)["state"] == "succeeded"
    assert patient.ended(running, 60)["state"] in ENDS_OF_A_CLONED_STEP
    assert len(set(patient.witnesses())) == len(patient.witnesses()) == 2
    assert clone.agent.process.wait(60) == MISCONFIGURED, "the old credential is refused"


@pytest.mark.row(24)
def test_a_clone_that_comes_first_is_noticed_when_the_original_comes_and_nothing_runs_twice(patient: Patient) -> None:
    running = patient.start(HELD)
    wait_until_sync(lambda: patient.witnesses(), 20, "the command to run")
    patient.agent.process.kill()
    clone = copied(patient, "clone")
    clone.begin()
    wait_until_sync(lambda: "Connected" in clone.agent.process.output(), 20, "the clone to be connected")
    patient.begin()
    wait_until_sync(lambda: noticed(patient, clone), 30, "the two to be noticed")
    (patient.folder / "stop").touch()
    decide_for(patient)
    assert patient.ended(running, 60)["state"] in ENDS_OF_A_CLONED_STEP
    assert len(patient.witnesses()) == 1


@pytest.mark.row(25)
def test_an_attempt_that_is_cloned_with_its_agent_runs_once(patient: Patient) -> None:
    """Both copies hold the hand-out; the permit is bound to the session of one of them."""
    patient.relink(PLUMBER_FREEZE_AT="link.permit_got")
    execution = patient.start(WITNESS)
    link = patient.agent.process
    wait_until_sync(lambda: stopped(link.pid), 20, "the link to stand still")
    clone = copied(patient, "clone")
    clone.begin()
    wait_until_sync(lambda: "Connected" in clone.agent.process.output(), 20, "the clone to be connected")
    link.send(signal.SIGCONT)
    wait_until_sync(lambda: noticed(patient, clone) or patient.witnesses(), 30, "something to happen")
    decide_for(patient)
    patient.wait_for_state(execution, "succeeded", 60)
    assert len(patient.witnesses()) == 1
