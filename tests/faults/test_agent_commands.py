"""Odd commands and odd output through a real agent: every one has a clear end, and every byte comes back."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.api import log_digest, only_attempt, raw_log, show, wait_until_complete
from support.faulty import Patient
from support.programs import CallFailed
from support.supervised import alive
from support.waiting import wait_until_sync


def attempt(patient: Patient, run: str, **step: Any) -> dict[str, Any]:
    """Run a command to its end and return its attempt."""
    execution = patient.start({"run": run, **step})
    patient.ended(execution, 120)
    found = only_attempt(show(patient.server, execution))
    wait_until_complete(patient.server, found["id"])
    return found


def output(patient: Patient, run: str, stream: str = "stdout", **step: Any) -> bytes:
    return raw_log(patient.server, attempt(patient, run, **step)["id"], stream)


@pytest.mark.row(71)
def test_millions_of_short_lines_arrive_whole_while_heartbeats_go_through(patient: Patient) -> None:
    lines = 6_000_000
    execution = patient.start(f"seq 1 {lines}")
    link = psutil.Process(patient.agent.process.pid)
    states, largest = set(), 0

    def over() -> bool:
        nonlocal largest
        states.add(patient.state_of(execution))
        largest = max(largest, link.memory_info().rss)
        return show(patient.server, execution)["state"] != "running"

    wait_until_sync(over, 180, "the flood to end")
    found = only_attempt(show(patient.server, execution))
    wait_until_complete(patient.server, found["id"], 120)
    expected = hashlib.sha256()
    length = 0
    for start in range(1, lines + 1, 100_000):
        piece = "".join(f"{n}\n" for n in range(start, min(start + 100_000, lines + 1))).encode()
        expected.update(piece)
        length += len(piece)
    assert log_digest(patient.server, found["id"], "stdout") == (length, expected.hexdigest())
    assert "unreachable" not in states
    assert largest < 64 * 1024 * 1024


@pytest.mark.row(72)
@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "octal"),
    [
        ("carriage returns only", r"one\rtwo\rthree"),
        ("no final newline", r"last"),
        ("invalid UTF-8 and NUL", r"\377\376\000\300\200\n\355\240\200"),
        ("escape sequences", r"\033[31mred\033]0;title\007\033[2J"),
        ("newlines only", r"\n\n\n"),
    ],
)
def test_odd_bytes_come_back_as_they_were(patient: Patient, name: str, octal: str) -> None:
    assert output(patient, f"printf '{octal}'") == octal.encode().decode("unicode_escape").encode("latin-1"), name


@pytest.mark.row(72)
def test_a_single_line_of_ten_megabytes_comes_back_whole(patient: Patient) -> None:
    found = attempt(patient, "head -c 10000000 /dev/zero | tr '\\0' x")
    assert log_digest(patient.server, found["id"], "stdout") == (
        10_000_000,
        hashlib.sha256(b"x" * 10_000_000).hexdigest(),
    )


@pytest.mark.row(73)
@pytest.mark.quick
def test_a_single_byte_without_a_newline_is_seen_while_the_command_is_silent(patient: Patient) -> None:
    execution = patient.start(
        "printf a; while [ ! -e one ]; do sleep 0.05; done; printf b; while [ ! -e two ]; do sleep 0.05; done"
    )
    wait_until_sync(lambda: patient.state_of(execution) == "running", 20, "the step to run")
    wait_until_sync(lambda: patient.log(execution) == b"a", 20, "the first byte")
    (patient.folder / "one").touch()
    wait_until_sync(lambda: patient.log(execution) == b"ab", 20, "the second byte")
    (patient.folder / "two").touch()
    assert patient.ended(execution)["state"] == "succeeded"


@pytest.mark.row(77)
@pytest.mark.row(78)
@pytest.mark.quick
@pytest.mark.parametrize(
    "start",
    [
        "setsid sleep 300 &",
        "(setsid sh -c 'sleep 300 & echo $! > daemon' &)",
        "sleep 300 >/dev/null 2>&1 </dev/null &",
    ],
)
def test_what_a_command_leaves_running_is_counted_and_left(patient: Patient, start: str) -> None:
    found = attempt(patient, f"{start}\necho out; exit 4")
    assert (found["exit_code"], found["orphans"]) == (4, 1)
    assert raw_log(patient.server, found["id"]) == b"out\n"
    left = [p for p in psutil.process_iter() if p.name() == "sleep" and found["id"] in environment(p).values()]
    assert len(left) == 1
    left[0].kill()


def environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


@pytest.mark.row(78)
@pytest.mark.quick
def test_a_daemon_is_ended_with_a_command_that_is_cancelled(patient: Patient) -> None:
    execution = patient.start("(env -i setsid sh -c 'sleep 300 & echo $! > daemon; wait' &); echo up; sleep 300")
    wait_until_sync(lambda: (patient.folder / "daemon").exists(), 20, "the daemon")
    wait_until_sync(lambda: (patient.folder / "daemon").read_text().strip(), 20, "its number")
    daemon = int((patient.folder / "daemon").read_text())
    patient.server.call("execution.cancel", execution=execution)
    assert patient.ended(execution)["state"] == "cancelled"
    wait_until_sync(lambda: not alive(daemon), 20, "the daemon to end")


@pytest.mark.row(79)
@pytest.mark.quick
def test_a_command_that_closes_its_output_or_reads_its_input_ends_as_it_says(patient: Patient) -> None:
    found = attempt(
        patient, "echo before; exec >&- 2>&-; i=0; while [ $i -lt 20 ]; do i=$((i+1)); sleep 0.05; done; exit 3"
    )
    assert (found["exit_code"], found["orphans"]) == (3, 0)
    assert raw_log(patient.server, found["id"]) == b"before\n"
    found = attempt(patient, "cat; read line || echo end of input; exit 5")
    assert (found["exit_code"], raw_log(patient.server, found["id"])) == (5, b"end of input\n")
    assert output(patient, "cat", stdin="given\n") == b"given\n"


@pytest.mark.row(80)
@pytest.mark.quick
@pytest.mark.parametrize("code", [0, 1, 125, 126, 127, 255])
def test_every_exit_code_is_exact(patient: Patient, code: int) -> None:
    found = attempt(patient, f"exit {code}")
    assert (found["exit_code"], found["signal"], found["state"]) == (code, None, "failed" if code else "succeeded")


FATAL = sorted(
    set(range(1, 32))
    - {
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGURG,
        signal.SIGWINCH,
    }
)


@pytest.mark.row(80)
def test_every_fatal_signal_is_told_as_a_signal(patient: Patient) -> None:
    executions = {number: patient.start(f"ulimit -c 0; kill -{number} $$; sleep 300") for number in FATAL}
    for number, execution in executions.items():
        assert patient.ended(execution, 60)["state"] == "failed"
        found = only_attempt(show(patient.server, execution))
        assert (found["signal"], found["exit_code"]) == (number, None)


@pytest.mark.row(81)
def test_a_command_that_may_not_fork_says_so_and_harms_nobody(patient: Patient) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may fork however many processes there are")
    found = attempt(patient, "ulimit -u 1; (true); echo $?")
    assert b"fork" in raw_log(patient.server, found["id"], "stderr")


@pytest.mark.row(82)
@pytest.mark.quick
@pytest.mark.parametrize(
    ("step", "error"),
    [
        ({"run": "true", "path": "/no/such/folder"}, "path_missing"),
        ({"run": "true", "path": "/etc/hostname"}, "not_a_directory"),
        ({"run": "true", "shell": "/no/such/shell"}, "cannot_start"),
        ({"run": "true", "shell": "{folder}/not-executable"}, "permission_denied"),
        ({"run": "true", "shell": "{folder}/no-format"}, "cannot_start"),
        ({"run": "true", "shell": "{folder}/no-interpreter"}, "cannot_start"),
    ],
)
def test_what_cannot_be_started_names_its_reason_and_never_ran(
    patient: Patient, step: dict[str, Any], error: str
) -> None:
    (patient.folder / "not-executable").write_text("")
    for name, text in (("no-format", "\1\2\3\n"), ("no-interpreter", "#!/no/such/program\n")):
        (patient.folder / name).write_text(text)
        (patient.folder / name).chmod(0o755)
    step = {
        key: value.replace("{folder}", str(patient.folder)) if isinstance(value, str) else value
        for key, value in step.items()
    }
    found = attempt(patient, **step)
    assert (found["state"], found["error"], found["exit_code"]) == ("failed", error, None)
    assert found["detail"]


@pytest.mark.row(82)
def test_a_script_longer_than_an_argument_may_be_is_refused_before_anything_starts(patient: Patient) -> None:
    with pytest.raises(CallFailed, match="too long") as caught:
        patient.start("true # " + "x" * 200_000)
    assert caught.value.code == "validation_failed"


@pytest.mark.row(82)
def test_an_environment_larger_than_the_kernel_takes_names_its_reason(patient: Patient) -> None:
    """Each value is small enough to be saved, all of them are too many."""
    values = {f"V{n}": "x" * 90_000 for n in range(10)}
    limited = patient.processes.folder / "small-stack"
    patient.agent.process.stop()
    patient.end_supervisor()
    patient.begin(under=("sh", "-c", 'ulimit -s 2048 && exec "$@"', str(limited)))
    patient.online()
    found = attempt(patient, "true", env=values)
    assert (found["state"], found["error"]) == ("failed", "cannot_start")
    assert "Argument list too long" in found["detail"]


@pytest.mark.row(83)
@pytest.mark.quick
def test_a_command_has_no_terminal_a_usual_umask_and_no_descriptor_of_ours(patient: Patient) -> None:
    text = "tty || true; umask; ls /proc/self/fd | tr '\\n' ' '; trap"
    tty, umask, descriptors = output(patient, text).decode().splitlines()[:3]
    assert (tty, umask) == ("not a tty", "0022")
    # 3 is the folder that ls reads.
    assert descriptors.split() == ["0", "1", "2", "3"]


@pytest.mark.row(70)
def test_a_hundred_megabytes_arrive_exactly_and_the_agent_stays_small(patient: Patient, tmp_path: Path) -> None:
    size = 100 * 1024 * 1024
    blob = tmp_path / "blob"
    with blob.open("wb") as file:
        for _ in range(100):
            file.write(os.urandom(1024 * 1024))
    execution = patient.start(f"cat {blob}")
    link, largest = psutil.Process(patient.agent.process.pid), 0

    def over() -> bool:
        nonlocal largest
        largest = max(largest, link.memory_info().rss)
        return show(patient.server, execution)["state"] != "running"

    wait_until_sync(over, 180, "the output to end")
    found = only_attempt(show(patient.server, execution))
    wait_until_complete(patient.server, found["id"], 120)
    assert log_digest(patient.server, found["id"], "stdout") == (size, hashlib.sha256(blob.read_bytes()).hexdigest())
    assert largest < 64 * 1024 * 1024
