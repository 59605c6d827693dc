"""What a link tells its supervisor to run, and what the supervisor tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from plumber_core.runner.wire import Message


@dataclass(frozen=True, slots=True)
class Command:
    """What the supervisor runs. ``env`` is the whole environment; the supervisor adds PLUMBER_ATTEMPT and
    PLUMBER_OUTPUT. ``path`` is the folder to start in (the root folder if None), durations are seconds. With
    ``stop_after`` it ends when nothing was ``renewed`` (boot clock) for so long."""

    argv: tuple[str, ...]
    env: dict[str, str]
    path: str | None = None
    timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = 10.0
    stdin: bytes | None = None
    stop_after: float | None = None
    renewed: float = 0.0
    restarts: float | None = None
    """Seconds in which the machine has to have restarted by it: another boot is the end of its attempt."""
    masked: bool = False
    """It begins as the executor host, which tells what to hide in its output before there is any."""


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """How an attempt ended. ``exit_code`` is None when a signal ended it or nobody saw the end; ``error`` is a code
    (``path_missing not_a_directory permission_denied cannot_start timeout idle_timeout supervisor_died rebooted
    journal_damaged restart_failed not_restarted restart_asked``) with ``detail`` beside it. ``orphans`` counts
    processes that were left running, ``output`` the bytes in the file of outputs."""

    state: Literal["succeeded", "failed", "timed_out", "cancelled", "unknown"]
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None
    detail: str = ""
    duration: float = 0.0
    orphans: int = 0
    oom: bool = False
    output: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One attempt as the journal knows it. ``meta`` is what was given at the spawn, ``log_end`` counts the bytes of
    its log's whole frames."""

    attempt: str
    state: Literal["spawning", "running", "exited", "void", "unknown"]
    boot_id: str
    log_end: int
    exit: ExitInfo | None
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """The command of an attempt runs."""

    attempt: str
    pid: int


@dataclass(frozen=True, slots=True)
class Grew:
    """An attempt's log now reaches ``end``."""

    attempt: str
    end: int


@dataclass(frozen=True, slots=True)
class Exited:
    """An attempt ended, or could not be started; its log is complete."""

    attempt: str
    record: Record


SupervisorEvent = Started | Grew | Exited


def record_from(view: Message) -> Record:
    """Read a record as the supervisor sends it."""
    ended = ExitInfo(**view["exit"]) if view["exit"] else None
    return Record(**{**view, "exit": ended})
