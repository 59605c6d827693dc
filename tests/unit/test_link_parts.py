"""The link's small parts: permits, back-off, digests, commands, outputs, the session chain."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.errors import StartupError
from plumber_core.protocol.digest import LogDigest
from plumber_core.protocol.frames import STDERR, STDOUT, SYSTEM, encode_frame
from plumber_core.protocol.messages import Assignment, StepSpec
from plumber_core.runner.attempts import REMEMBERED, Attempts, Tracked
from plumber_core.runner.backoff import LONGEST, Backoff
from plumber_core.runner.commands import Surroundings, build_command
from plumber_core.runner.describe import describe_executors
from plumber_core.runner.facts import collect_facts
from plumber_core.runner.outcomes import BAD_OUTPUT, outcome_of
from plumber_core.runner.outputs import BadOutput, parse_outputs, read_outputs
from plumber_core.runner.permits import Permits
from plumber_core.runner.scope import TaskScope
from plumber_core.runner.session_chain import FILE_NAME, SessionChain
from plumber_core.runner.supervision import Command, Exited, ExitInfo, Record
from plumber_core.runner.uploads import Pace


def test_permits_end_by_their_renewal() -> None:
    permits = Permits(5.0, opened=100.0)
    permits.sent(1, 101.0)
    assert permits.until(0, 105.0) == 105.0
    assert permits.until(0, 105.1) is None
    assert permits.until(1, 105.1) == 106.0
    assert permits.until(2, 101.0) is None
    permits.sent(2, 112.0)
    assert permits.sent_at(1) == 101.0, "the server may still tell that it has recorded it"
    permits.sent(3, 170.0)
    permits.ttl = 100.0
    assert permits.sent_at(1) is None
    assert permits.until(1, 112.0) is None, "renewals that no permit can name any more are forgotten"


def test_backoff_grows_to_its_limit_and_starts_again_after_a_success() -> None:
    backoff = Backoff(random.Random())
    waits = [backoff.next() for _ in range(20)]
    assert 0.1 <= waits[0] <= 0.2
    assert all(
        window / 2 <= wait <= window for wait, window in zip(waits, (0.2 * 1.5**i for i in range(7)), strict=False)
    )
    assert LONGEST / 2 <= waits[-1] <= LONGEST
    backoff.succeeded()
    assert backoff.next() <= 0.2


def test_pace_follows_the_answers() -> None:
    pace = Pace()
    for _ in range(10):
        pace.answered(0.01)
    assert pace.limit == 1024 * 1024
    for _ in range(10):
        pace.answered(5.0)
    assert pace.limit == Pace.FLOOR


@given(st.lists(st.tuples(st.sampled_from([STDOUT, STDERR, SYSTEM]), st.binary(max_size=40)), max_size=12), st.data())
def test_digest_takes_any_split_once(written: list[tuple[int, bytes]], data: st.DataObject) -> None:
    frames = [encode_frame(stream, 0, payload) for stream, payload in written]
    digest = LogDigest()
    while digest.position < sum(map(len, frames)):
        low = data.draw(st.integers(0, len(frames) - 1))
        high = data.draw(st.integers(low + 1, len(frames)))
        digest.feed(sum(map(len, frames[:low])), b"".join(frames[low:high]))
    for stream in (STDOUT, STDERR):
        payload = b"".join(p for s, p in written if s == stream)
        assert (digest.length(stream), digest.hexdigest(stream)) == (len(payload), hashlib.sha256(payload).hexdigest())


def command_for(run: str = "true", *, environment: dict[str, str] | None = None, **fields: Any) -> Command:
    params = fields.pop("params", {"run": run})
    spec = StepSpec("exe", "task", "step", 4, fields.pop("uses", "shell"), params, fields.pop("env", {}), **fields)
    around = Surroundings("id", "name", Path("/srv/jobs"), environment if environment is not None else {"PATH": "/bin"})
    return build_command(Assignment("att", "s", 1, 1, spec), around)


@pytest.mark.parametrize(
    ("params", "clean", "argv"),
    [
        ({"run": "a; b"}, True, ("/bin/sh", "-e", "-c", "a; b")),
        ({"run": "a"}, False, ("sh", "-c", "a")),
        ({"run": "a", "shell": "bash"}, True, ("bash", "-c", "a")),
        ({"run": "a", "shell": "/usr/bin/python3 -u"}, True, ("/usr/bin/python3", "-u", "-c", "a")),
        ({"run": "a", "shell": "bad 'quote"}, True, ("bad 'quote", "-c", "a")),
        ({"run": "a", "shell": "  "}, True, ("  ", "-c", "a")),
    ],
)
def test_shell_commands(params: dict[str, Any], clean: bool, argv: tuple[str, ...]) -> None:
    assert command_for(params=params, clean_environment=clean).argv == argv


def test_clean_environment_is_a_short_list_and_the_step_may_change_it() -> None:
    agent = {"PATH": "/bin", "HOME": "/h", "USER": "u", "LOGNAME": "u", "LANG": "C", "SECRET": "x", "PLUMBER_X": "y"}
    env = command_for(environment=agent, env={"LANG": "zh_CN", "APP": "prod"}).env
    assert env == {
        "PATH": "/bin",
        "HOME": "/h",
        "USER": "u",
        "LOGNAME": "u",
        "LANG": "zh_CN",
        "APP": "prod",
        "PLUMBER_EXECUTION": "exe",
        "PLUMBER_TASK": "task",
        "PLUMBER_STEP": "step",
        "PLUMBER_STEP_INDEX": "4",
        "PLUMBER_ATTEMPT": "att",
        "PLUMBER_AGENT": "id",
        "PLUMBER_AGENT_NAME": "name",
    }


def test_full_environment_never_holds_the_agents_own_settings() -> None:
    agent = {"PATH": "/bin", "SHELL": "/bin/zsh", "PLUMBER_ENROLL_TOKEN": "once", "PLUMBER_AGENT_SLOTS": "9"}
    env = command_for(environment=agent, clean_environment=False).env
    assert env["SHELL"] == "/bin/zsh"
    assert "once" not in env.values()
    assert "PLUMBER_AGENT_SLOTS" not in env


def test_service_managers_that_set_no_home_get_the_accounts() -> None:
    env = command_for(environment={}).env
    assert env["PATH"].startswith("/usr/local/sbin:")
    assert Path(env["HOME"]).is_absolute()


def test_folder_limits_and_input() -> None:
    assert command_for().path == "/srv/jobs"
    assert command_for(path="sub/dir").path == "/srv/jobs/sub/dir"
    assert command_for(path="/abs").path == "/abs"
    command = command_for(timeout=1.5, idle_timeout=2.5, grace=3.5, stdin="in\n")
    assert (command.timeout, command.idle_timeout, command.grace, command.stdin) == (1.5, 2.5, 3.5, b"in\n")
    assert command_for().stdin is None


def test_other_executors_run_in_the_host_with_their_parameters_on_standard_input() -> None:
    command = command_for(uses="http", params={"url": "https://x"}, stdin="text")
    assert command.argv == (sys.executable, "-P", "-m", "plumber_core.runner.executor_host", "http")
    assert json.loads(command.stdin or b"") == {"params": {"url": "https://x"}, "stdin": "text", "plugins": {}}


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"", {}),
        (b"a=1\nB_2=x=y\n\nempty=\n", {"a": "1", "B_2": "x=y", "empty": ""}),
        (b"a=1\na=2", {"a": "2"}),
        (b"a<<END\none\n two=2\nEND\nb=<<no\n", {"a": "one\n two=2", "b": "<<no"}),
        (b"a<<X\nX\n", {"a": ""}),
        (
            b' {"a": "x", "n": 1.5, "t": true, "l": [1, "\\u00e9"]}',
            {"a": "x", "n": "1.5", "t": "true", "l": '[1, "é"]'},
        ),
    ],
)
def test_outputs(content: bytes, values: dict[str, str]) -> None:
    assert parse_outputs(content) == values


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a", "line 1"),
        (b"ok=1\n1a=2", "line 2"),
        (b"a b=2", "no name"),
        ("é=1".encode(), "no name"),
        (b"a<<END\nnever", "no end"),
        (b"a=\xff", "not UTF-8"),
        (b"a=\0", "NUL"),
        (b"{", "not JSON"),
        (b'{"a b": 1}', "no name"),
        (b'{"a": "\\u0000"}', "no Unicode text"),
        (b'{"a": "\\ud800"}', "no Unicode text"),
        (b"{" * 60_000, "not JSON"),
        (b"a=" + b"x" * 65_536, "larger than"),
    ],
)
def test_bad_outputs_say_where(content: bytes, reason: str) -> None:
    with pytest.raises(BadOutput, match=reason):
        parse_outputs(content)


@given(st.binary(max_size=200))
def test_outputs_never_fail_in_another_way(content: bytes) -> None:
    try:
        values = parse_outputs(content)
    except BadOutput:
        return
    assert all(isinstance(value, str) for value in values.values())


def test_missing_output_file_has_no_values_and_a_folder_is_bad(tmp_path: Path) -> None:
    assert read_outputs(tmp_path / "none") == {}
    with pytest.raises(BadOutput):
        read_outputs(tmp_path)


def test_damaged_session_file_stops_instead_of_forgetting(tmp_path: Path) -> None:
    chain = SessionChain(tmp_path)
    chain.load()
    assert (chain.next_incarnation("first"), chain.token) == (1, None)
    chain.remember("token", 3)
    again = SessionChain(tmp_path)
    again.load()
    assert (again.incarnation, again.token, again.epoch, again.install) == (1, "token", 3, "first")
    for damage in ("", "[]", "{}", '{"incarnation": "x"}'):
        (tmp_path / FILE_NAME).write_text(damage)
        with pytest.raises(StartupError):
            SessionChain(tmp_path).load()


def test_told_attempts_are_remembered_up_to_a_limit() -> None:
    attempts = Attempts()
    for number in range(REMEMBERED + 10):
        attempts.begin(str(number))
        attempts.drop(str(number))
    assert attempts.last_word("9") is None
    assert attempts.last_word("10") is not None


def test_facts_are_short_texts() -> None:
    facts = collect_facts("127.0.0.1")
    assert facts["ip"] == "127.0.0.1"
    assert {"hostname", "os", "arch", "cpus"} <= facts.keys()
    assert all(isinstance(value, str) and value for value in facts.values())
    assert "ip" not in collect_facts("no.such.host.invalid")


async def test_scope_raises_the_first_failure_and_leaves_nothing_running() -> None:
    ended: list[str] = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiter")

    async def fail() -> None:
        raise ValueError("first")

    scope = TaskScope()
    scope.start(wait_for_ever())
    scope.start(fail())
    with pytest.raises(ValueError, match="first"):
        await scope.wait()
    await scope.close()
    assert ended == ["waiter"]
    late = fail()
    scope.start(late)
    assert late.cr_frame is None, "work that comes too late never begins"


async def test_the_executor_host_says_what_can_be_run_here() -> None:
    found = {executor.kind: executor for executor in await describe_executors({})}
    assert "shell" in found
    assert found["shell"].schema["type"] == "object"


@pytest.mark.parametrize(("boot", "vouches"), [("boot-1", True), ("boot-2", False)])
def test_a_log_that_was_read_again_after_a_reboot_is_not_vouched_for(tmp_path: Path, boot: str, vouches: bool) -> None:
    """The server may have had the true bytes before the power went; the disk may hold zeros in their place."""
    frame = encode_frame(STDOUT, 1, b"said")
    tracked = Tracked("attempt", "unknown", "boot-1", log_end=len(frame))
    tracked.digest.feed(0, frame)
    outcome = outcome_of(tracked, boot, tmp_path / "none")
    assert outcome.log_end == len(frame)
    assert bool(outcome.sha256_stdout) is vouches


@pytest.mark.parametrize("left", [b"key=value\n", b"key=va", b"key=value"[:9].ljust(10, b"\0"), None])
@pytest.mark.parametrize("boot", ["boot-1", "boot-2"])
def test_values_that_are_not_there_any_more_are_missed(tmp_path: Path, boot: str, left: bytes | None) -> None:
    """The power took them along, or a full disk: a success that hands nothing on would have the next steps run with
    nothing."""
    file = tmp_path / "a.out"
    if left is not None:
        file.write_bytes(left)
    exit = ExitInfo("succeeded", 0, output=len(b"key=value\n"))
    outcome = outcome_of(Tracked("a", "exited", "boot-1", exit=exit), boot, file)
    if left == b"key=value\n":
        assert (outcome.state, outcome.outputs) == ("succeeded", {"key": "value"})
    else:
        assert (outcome.state, outcome.error, outcome.exit_code, outcome.outputs) == ("failed", BAD_OUTPUT, 0, {})


def test_an_inventory_that_was_taken_before_an_end_does_not_undo_it() -> None:
    """Found by the simulator: both came at once, the answer is taken in later, and nobody told the end."""
    attempts, end = Attempts(), ExitInfo("succeeded", 0)
    attempts.begin("a")
    attempts.apply(Exited("a", Record("a", "exited", "boot", 9, end, {})))
    attempts.adopt([Record("a", "running", "boot", 5, None, {})])
    tracked = attempts.find("a")
    assert tracked is not None and (tracked.ended, tracked.exit, tracked.log_end) == (True, end, 9)
    assert attempts.occupied() == 0
