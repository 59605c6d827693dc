from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from plumber_core.runner.supervision import Command, Exited, Started
from support.supervised import ENVIRONMENT, marked, proc, shell, supervised

FATAL = [s for s in range(1, 32) if s not in (signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH)]
C_LIBRARYS_OWN = 3 << 31
"""Signals 32 and 33, which a program cannot touch."""
STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


@pytest.mark.row(80)
async def test_exit_codes_are_exact(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        for code in (0, 1, 2, 125, 126, 127, 128, 137, 255):
            ended = (await s.run(shell(f"exit {code}"))).exit
            assert ended is not None
            assert (ended.exit_code, ended.signal) == (code, None)
            assert ended.state == ("succeeded" if code == 0 else "failed")


@pytest.mark.row(80)
async def test_signals_are_exact_and_never_folded_into_codes(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        for number in (n for n in FATAL if n not in STOPPING):
            ended = (await s.run(shell(f"ulimit -c 0; kill -{number} $$"))).exit
            assert ended is not None
            assert (number, ended.state, ended.exit_code, ended.signal) == (number, "failed", None, number)


@pytest.mark.parametrize(
    ("path", "error"),
    [("missing", "path_missing"), ("file", "not_a_directory"), ("file/below", "not_a_directory")],
)
async def test_a_folder_that_cannot_be_entered_is_named(path: str, error: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with supervised(tmp_path / "state") as s:
        folder = str(tmp_path / path)
        answer = await s.client.spawn("x", shell("true", path=folder), permit_until=None, meta={})
        assert answer == "failed"
        ended = (await s.end_of("x")).exit
        assert ended is not None
        assert (ended.state, ended.error, ended.exit_code) == ("failed", error, None)
        assert folder in ended.detail


async def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    plain, odd = tmp_path / "plain", tmp_path / "odd"
    plain.write_text("#!/bin/sh\n")
    odd.write_text("#!/no/such/interpreter\n")
    odd.chmod(0o755)
    cases = [
        (("no-such-program",), "cannot_start", "No such file"),
        ((str(plain),), "permission_denied", "Permission denied"),
        ((str(odd),), "cannot_start", "No such file"),
        (("/bin/echo", "x" * 3_000_000), "cannot_start", "Argument list too long"),
        (("/bin/echo", "null\0byte"), "cannot_start", "null"),
    ]
    async with supervised(tmp_path / "state") as s:
        for argv, error, detail in cases:
            ended = (await s.run(Command(argv, ENVIRONMENT))).exit
            assert ended is not None
            assert (ended.state, ended.error) == ("failed", error)
            assert detail in ended.detail
        assert (await s.run(shell("true"))).exit is not None


async def test_folder_arguments_input_and_a_clean_environment(tmp_path: Path) -> None:
    work = tmp_path / "a folder"
    work.mkdir()
    data = os.urandom(300_000)
    async with supervised(tmp_path / "state") as s:
        command = shell("pwd; sha256sum; env", path=str(work), stdin=data, env={"ODD": "\udcff ü\nx"})
        record = await s.run(command)
        lines = s.text(record.attempt)
        assert lines.startswith(os.fsencode(work) + b"\n" + hashlib.sha256(data).hexdigest().encode())
        assert b"ODD=\xff \xc3\xbc\nx" in lines
        assert f"PLUMBER_ATTEMPT={record.attempt}\n".encode() in lines
        names = {line.split(b"=")[0] for line in lines.splitlines() if b"=" in line}
        assert names - {b"PWD", b"OLDPWD", b"SHLVL", b"_"} == {b"PATH", b"ODD", b"PLUMBER_ATTEMPT", b"PLUMBER_OUTPUT"}


async def test_input_is_empty_unless_given_and_output_values_have_a_private_file(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        record = await s.run(shell('cat; echo key=value >> "$PLUMBER_OUTPUT"'))
        output = s.client.output_file(record.attempt)
        assert output.read_text() == "key=value\n"
        assert record.exit is not None and record.exit.output == len("key=value\n"), (
            "missed if the power takes it along"
        )
        assert output.stat().st_mode & 0o777 == 0o600
        assert s.text(record.attempt) == b""


@pytest.mark.row(83)
async def test_signals_and_descriptors_are_as_a_login_would_have_them(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        record = await s.run(
            shell("grep -E 'SigBlk|SigIgn' /proc/self/status; ls /proc/self/fd; umask; cat /proc/$$/oom_score_adj")
        )
        lines = s.text(record.attempt).split()
        assert [int(line, 16) & ~C_LIBRARYS_OWN for line in (lines[1], lines[3])] == [0, 0]
        assert lines[4:8] == [b"0", b"1", b"2", b"3"]  # 3 is the folder that ls reads
        assert lines[8] != b"0077"
        assert lines[9] == proc("self", "oom_score_adj").strip()
        piped = await s.run(shell("yes | head -n 1 > /dev/null; echo done"))
        assert s.text(piped.attempt) == b"done\n"


async def test_many_megabytes_on_both_streams_arrive_byte_for_byte(tmp_path: Path) -> None:
    sources = [tmp_path / "one", tmp_path / "two"]
    for source in sources:
        source.write_bytes(os.urandom(20 * 1024 * 1024))
    async with supervised(tmp_path / "state") as s:
        record = await s.run(shell(f"cat {sources[0]} & cat {sources[1]} >&2; wait"))
        assert record.log_end == (tmp_path / f"state/spool/{record.attempt}.log").stat().st_size
        assert s.text(record.attempt, 1) == sources[0].read_bytes()
        assert s.text(record.attempt, 2) == sources[1].read_bytes()


async def test_started_comes_before_exited_and_meta_is_kept(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempt = await s.spawn(shell("echo $$; sleep 0.3"), meta={"spec": {"step": "ü"}})
        record = await s.end_of(attempt)
        kinds = [type(e) for e in s.seen if isinstance(e, Started | Exited)]
        assert kinds == [Started, Exited]
        assert s.text(attempt).split()[0] == str(await s.pid_of(attempt)).encode()
        assert record.meta == {"spec": {"step": "ü"}}
        assert record in await s.client.inventory()


async def test_a_command_that_ends_at_once_is_told_by_its_end_alone(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        attempts = [(await s.run(shell("true"))).attempt for _ in range(20)]
        told = [[type(e) for e in s.seen if e.attempt == attempt] for attempt in attempts]
        assert told.count([Exited]) > 0
        assert all(kinds in ([Exited], [Started, Exited]) for kinds in told), "a loaded machine may be slow"


async def test_a_command_that_writes_nothing_leaves_no_file_behind(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        await s.run(shell("true"))
        assert not list((tmp_path / "spool").iterdir())
        handing_on = await s.run(shell("echo key=value > $PLUMBER_OUTPUT"))
        still_open = await s.run(shell("setsid sleep 300 3>> $PLUMBER_OUTPUT >/dev/null 2>&1 &"))
        left = {path.name for path in (tmp_path / "spool").iterdir()}
        assert left == {f"{handing_on.attempt}.out", f"{still_open.attempt}.out"}
        again = await s.run(shell('test -f "$PLUMBER_OUTPUT" && test ! -s "$PLUMBER_OUTPUT"'))
        assert again.exit is not None
        assert again.exit.exit_code == 0
        for pid in marked(still_open.attempt):
            os.kill(pid, 9)


async def test_duration_is_that_of_the_command(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        began = time.monotonic()
        ended = (await s.run(shell("sleep 0.3"))).exit
        assert ended is not None
        assert 0.3 <= ended.duration <= time.monotonic() - began


async def test_secrets_stay_out_of_journal_and_log(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        await s.run(shell("sleep 0.3", env={"PASSWORD": "swordfish"}, stdin=b"swordfish"))
        pid = s.client.pid
        assert b"swordfish" not in proc(pid, "environ")
    assert files_are_private_and_without(tmp_path, b"swordfish")
    records = (tmp_path / "journal").read_text().splitlines()
    assert [json.loads(line[9 : line.rindex(" ")])["kind"] for line in records] == [
        "attach",
        "spawning",
        "started",
        "exit",
    ]


def files_are_private_and_without(folder: Path, secret: bytes) -> bool:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return all(secret not in path.read_bytes() and path.stat().st_mode & 0o077 == 0 for path in files)
