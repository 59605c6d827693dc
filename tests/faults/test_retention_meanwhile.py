"""Retention deletes what somebody reads or reports late: everybody gets a clear answer."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable

import httpx
import pytest

from support.api import only_attempt, run, wait_until_complete
from support.faulty import WITNESS, Patient
from support.processes import Processes
from support.programs import HTTP, CallFailed, RunningAgent, RunningServer, launch_agent
from support.waiting import wait_until_sync

FORGETFUL = {
    "PLUMBER_SWEEP_INTERVAL": "0.1s",
    "PLUMBER_RETENTION_LAST": "0",
    "PLUMBER_RETENTION_DAYS": f"{1 / 86_400:f}",
}
"""What has ended is kept for a second, and looked for every six."""
LINES = 250
DRIP = f"i=0; while [ $i -lt {LINES} ]; do echo line $i; sleep 0.03; i=$((i+1)); done"
"""Many small pieces: more than retention deletes at a time."""
EXPECTED = b"".join(b"line %d\n" % number for number in range(LINES))


class Reader:
    """Reads a log again and again until it is told that it is gone; ``answers`` counts by status, 0 is none."""

    def __init__(self, server: RunningServer, attempt: str) -> None:
        self.server, self.attempt = server, attempt
        self.answers: Counter[int] = Counter()
        self.wrong = b""
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        while not self.answers[410] and not self.wrong:
            status, content = self._read()
            self.answers[status] += 1
            if status == 200 and content != EXPECTED:
                self.wrong = content

    def _read(self) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.server.token}"}
        try:
            answer = HTTP.get(f"{self.server.url}/logs/{self.attempt}", params={"format": "raw"}, headers=headers)
        except httpx.HTTPError:
            return 0, b""
        return answer.status_code, answer.content


@pytest.mark.row(92)
def test_whoever_reads_a_log_has_all_of_it_or_is_told_that_it_is_gone(
    database_url: str, start_server: Callable[..., RunningServer], start_agent: Callable[..., RunningAgent]
) -> None:
    server = start_server(database_url)
    start_agent(server, "one")
    attempt = only_attempt(run(server, DRIP, timeout=60))["id"]
    wait_until_complete(server, attempt)
    readers = [Reader(server, attempt) for _ in range(4)]
    wait_until_sync(lambda: all(reader.answers[200] for reader in readers), 30, "the log to be read")
    server.process.kill()
    server.restart(**FORGETFUL)
    wait_until_sync(lambda: not any(reader.thread.is_alive() for reader in readers), 60, "everybody to be told")
    assert [reader.wrong for reader in readers] == [b""] * 4
    assert set().union(*(reader.answers for reader in readers)) <= {0, 200, 410}


@pytest.mark.row(92)
def test_a_late_report_of_what_was_deleted_is_accepted_and_its_agent_may_forget(
    database_url: str, start_server: Callable[..., RunningServer], processes: Processes
) -> None:
    server = start_server(database_url, PLUMBER_LEASE="3s", PLUMBER_LOST_AFTER="4s", **FORGETFUL)
    patient = Patient(server, launch_agent(processes, server, "one"), processes)
    execution = patient.start(f"{WITNESS}; while [ ! -e go ]; do sleep 0.05; done; echo late")
    patient.wait_for_state(execution, "running")
    wait_until_sync(patient.witnesses, 20, "the command to begin")
    patient.agent.process.send(signal.SIGSTOP)
    wait_until_sync(lambda: is_gone(server, execution), 90, "the lost execution to be deleted")
    (patient.folder / "go").touch()
    patient.agent.process.send(signal.SIGCONT)
    wait_until_sync(lambda: patient.untold() == [], 60, "the agent to have told all and to be answered")
    assert is_gone(server, execution)
    assert len(patient.witnesses()) == 1


def is_gone(server: RunningServer, execution: str) -> bool:
    """Say whether the server tells that an execution was deleted."""
    try:
        server.call("execution.show", execution=execution)
    except CallFailed as error:
        return error.code == "gone"
    return False
