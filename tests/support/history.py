"""What really happened, from three sources: the database's rows and events, agents' journals, and witnesses' files."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from plumber_core.runner.journal import Record, read_contents
from support.witness import Run, Witness


@dataclass(slots=True)
class Step:
    """One step execution as the database has it."""

    id: str
    execution: str
    stage: int
    lane: int
    step: int
    state: str
    attempt: str | None
    ended_at: int | None


@dataclass(slots=True)
class Attempt:
    """One attempt as the database has it; ``output`` is its standard output, ``gap`` where its log has a hole."""

    id: str
    step: str
    started_at: int
    ended_at: int | None
    state: str | None
    exit_code: int | None
    signal: int | None
    log_end: int
    log_total: int | None
    log_state: str
    late: dict[str, Any] | None
    log: bytes = b""
    gap: int | None = None


@dataclass
class History:
    """Everything that the checker judges."""

    steps: dict[str, Step]
    attempts: dict[str, Attempt]
    moves: dict[str, list[str]]
    """The states that the event log tells of each step execution, in order."""
    runs: dict[str, Run]
    witness: Witness
    exits: dict[str, Record] = field(default_factory=dict)
    """The exits in the agents' journals, by attempt."""


_STEPS = "SELECT id, execution_id, stage, lane, step, state, attempt_id, ended_at FROM step_executions"
_ATTEMPTS = (
    "SELECT id, step_execution_id, started_at, ended_at, state, exit_code, signal, log_end, log_total, log_state, late "
    "FROM attempts"
)
_EVENTS = "SELECT kind, data FROM events WHERE kind LIKE 'step.%' ORDER BY xid, id"
_CHUNKS = "SELECT attempt_id, start, stop, data FROM log_chunks ORDER BY attempt_id, start"


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on either database, past every server."""
    if database_url.startswith("sqlite:///"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), timeout=30)) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(database_url) as connection:
        return connection.execute(query.replace("%", "%%").encode()).fetchall()


def read_history(database_url: str, witness: Witness, state_dirs: Iterable[Path] = ()) -> History:
    """Gather what all sources say."""
    steps = {row[0]: Step(*row) for row in rows(database_url, _STEPS)}
    attempts = {row[0]: _attempt(row) for row in rows(database_url, _ATTEMPTS)}
    for attempt, start, stop, data in rows(database_url, _CHUNKS):
        _add_chunk(attempts[attempt], start, stop, bytes(data))
    history = History(steps, attempts, _moves(rows(database_url, _EVENTS)), witness.runs(), witness)
    for folder in state_dirs:
        history.exits.update(_exits(folder / "journal"))
    return history


def terminal_rows(database_url: str) -> dict[str, tuple[Any, ...]]:
    """Return every ended step execution as it is now: none of them may ever change."""
    query = (
        "SELECT s.id, s.state, s.attempt_id, s.ended_at, a.state, a.exit_code, a.signal, a.error, a.outcome "
        "FROM step_executions s LEFT JOIN attempts a ON a.id = s.attempt_id WHERE s.ended_at IS NOT NULL"
    )
    return {row[0]: row for row in rows(database_url, query)}


def _attempt(row: tuple[Any, ...]) -> Attempt:
    *plain, late = row
    return Attempt(*plain, late=json.loads(late) if late else None)


def _add_chunk(attempt: Attempt, start: int, stop: int, data: bytes) -> None:
    if (start, stop) != (len(attempt.log), len(attempt.log) + len(data)) and attempt.gap is None:
        attempt.gap = start
    attempt.log += data


def _moves(events: list[tuple[Any, ...]]) -> dict[str, list[str]]:
    moves: dict[str, list[str]] = defaultdict(list)
    for kind, data in events:
        told = json.loads(data)
        step = told.get("step_execution") or str(told.get("attempt", "")).rpartition("-")[0].rpartition("-")[0]
        moves[step].append(kind.removeprefix("step."))
        for skipped in told.get("skipped", ()):
            moves[str(skipped)].append("skipped")
    return moves


def _exits(journal: Path) -> Iterator[tuple[str, Record]]:
    if not journal.exists():
        return
    for record in read_contents(journal.read_bytes()).records:
        if record.get("kind") == "exited" or (record.get("kind") == "entry" and record.get("exit")):
            yield record["attempt"], record
