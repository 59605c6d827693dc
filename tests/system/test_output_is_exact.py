"""Output arrives byte for byte, each stream apart, while the command runs, and passes through little memory."""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api import (
    attempt_of,
    ended,
    log_digest,
    only_attempt,
    raw_log,
    run,
    show,
    start,
    wait_until_complete,
    wait_until_printed,
)
from support.memory import MB, Watched, supervisor_of
from support.processes import those_of
from support.programs import RunningAgent, RunningServer

SIZE = int(os.environ.get("PLUMBER_TEST_OUTPUT_MB", "20")) * MB
PIECE = 100_003
PROGRAM = """
import os, random, sys, time
print("first", flush=True)
while not os.path.exists("go"):
    time.sleep(0.01)
size, piece = int(sys.argv[1]), int(sys.argv[2])
out, err = random.Random(1), random.Random(2)
for start in range(0, size, piece):
    sys.stdout.buffer.write(out.randbytes(min(piece, size - start)))
    if start // piece % 4 == 0:
        sys.stderr.buffer.write(err.randbytes(piece))
        sys.stderr.buffer.flush()
"""


def pieces(seed: int, lengths: Iterator[int]) -> tuple[int, str]:
    """Return the length and the digest of what the program writes to one stream."""
    source, digest, total = random.Random(seed), hashlib.sha256(b"first\n" if seed == 1 else b""), 0
    for length in lengths:
        digest.update(source.randbytes(length))
        total += length
    return total + (len(b"first\n") if seed == 1 else 0), digest.hexdigest()


@pytest.mark.row(70)
def test_much_binary_output_is_exact_on_both_streams_within_bounded_memory(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    run(shared_server, "echo warm; seq 100000")
    (tmp_path / "program.py").write_text(PROGRAM)
    command = f"exec '{sys.executable}' program.py {SIZE} {PIECE}"
    server, link = shared_server.process.pid, shared_agent.process.pid
    supervisor = supervisor_of(those_of(shared_agent.state_dir)).pid
    with Watched(server, link, supervisor) as memory:
        execution = start(shared_server, {"run": command, "path": str(tmp_path)})
        attempt = attempt_of(shared_server, execution)
        wait_until_printed(shared_server, attempt, b"first\n")
        assert show(shared_server, execution)["state"] == "running"
        (tmp_path / "go").touch()
        shown = ended(shared_server, execution, 60)
        wait_until_complete(shared_server, attempt)
        found = [log_digest(shared_server, attempt, stream) for stream in ("stdout", "stderr")]
    starts = range(0, SIZE, PIECE)
    assert found[0] == pieces(1, (min(PIECE, SIZE - offset) for offset in starts))
    assert found[1] == pieces(2, (PIECE for offset in starts if offset // PIECE % 4 == 0))
    assert shown["state"] == "succeeded"
    assert memory.growth(link) <= 32
    assert memory.growth(supervisor) <= 8
    assert memory.growth(server) <= 64


@pytest.mark.row(72)
def test_every_byte_value_and_no_final_newline_come_back_as_they_were(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 5 + b"\r\n\0 last, \xe5\xa5"
    (tmp_path / "data").write_bytes(data)
    shown = run(shared_server, {"run": "cat data; cat data data >&2; exit 3", "path": str(tmp_path)})
    attempt = only_attempt(shown)
    assert attempt["exit_code"] == 3
    wait_until_complete(shared_server, attempt["id"])
    assert raw_log(shared_server, attempt["id"]) == data
    assert raw_log(shared_server, attempt["id"], "stderr") == data * 2


def test_a_command_without_output_has_an_empty_complete_log(
    shared_server: RunningServer, shared_agent: RunningAgent
) -> None:
    attempt = only_attempt(run(shared_server, "true"))
    assert (attempt["log_end"], attempt["log_complete"]) == (0, True)
    assert raw_log(shared_server, attempt["id"]) == b""
