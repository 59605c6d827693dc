"""How states look: a symbol, a colour and a word, so that no state is told by colour alone."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from rich.text import Text

from plumber_core.model.states import AgentState, ExecutionState, Presence, StepState
from plumber_core.terminal.language import N_, _

_S, _X, _A, _P = StepState, ExecutionState, AgentState, Presence


class Look(NamedTuple):
    """``style`` is rich's; ``word`` is a gettext identifier."""

    symbol: str
    style: str
    word: str


_RUNNING = Look("●", "blue", N_("running"))
_SUCCEEDED = Look("✓", "green", N_("succeeded"))
_FAILED = Look("✗", "bold red", N_("failed"))
_CANCELLED = Look("⊘", "yellow", N_("cancelled"))

LOOKS: dict[StrEnum, Look] = {
    _S.BLOCKED: Look("·", "dim", N_("blocked")),
    _S.READY: Look("○", "cyan", N_("ready")),
    _S.CLAIMED: Look("◔", "cyan", N_("claimed")),
    _S.RUNNING: _RUNNING,
    _S.CANCELLING: Look("◌", "yellow", N_("cancelling")),
    _S.UNREACHABLE: Look("?", "yellow", N_("unreachable")),
    _S.RETRY_WAIT: Look("↻", "yellow", N_("waiting to retry")),
    _S.SUCCEEDED: _SUCCEEDED,
    _S.FAILED: _FAILED,
    _S.TIMED_OUT: Look("✗", "bold red", N_("timed out")),
    _S.CANCELLED: _CANCELLED,
    _S.REJECTED: Look("✗", "bold red", N_("rejected")),
    _S.EXPIRED: Look("✗", "bold red", N_("expired")),
    _S.SKIPPED: Look("»", "dim", N_("skipped")),
    _S.LOST: Look("?", "bold red", N_("lost: outcome unknown")),
}
_EXECUTIONS: dict[StrEnum, Look] = {
    _X.QUEUED: Look("○", "cyan", N_("queued")),
    _X.RUNNING: _RUNNING,
    _X.PAUSED: Look("‖", "yellow", N_("paused")),
    _X.SUCCEEDED: _SUCCEEDED,
    _X.FAILED: _FAILED,
    _X.CANCELLED: _CANCELLED,
}
_AGENTS: dict[StrEnum, Look] = {
    _A.ACTIVE: Look("●", "green", N_("active")),
    _A.DRAINING: Look("◌", "yellow", N_("draining")),
    _A.DISABLED: Look("○", "dim", N_("disabled")),
    _A.REVOKED: Look("⊘", "red", N_("revoked")),
}
_PRESENCES: dict[StrEnum, Look] = {
    _P.ONLINE: Look("●", "green", N_("online")),
    _P.LATE: Look("◔", "yellow", N_("late")),
    _P.OFFLINE: Look("○", "red", N_("offline")),
}
_TABLES: dict[type[StrEnum], dict[StrEnum, Look]] = {
    StepState: LOOKS,
    ExecutionState: _EXECUTIONS,
    AgentState: _AGENTS,
    Presence: _PRESENCES,
}


def look(state: StrEnum) -> Look:
    """Return how a state of a step, an execution or an agent, or a presence, looks."""
    return _TABLES[type(state)][state]


def state_text(state: StrEnum, *, word: bool = True) -> Text:
    """Return a state's symbol and, unless told otherwise, its word."""
    symbol, style, name = look(state)
    return Text().append(f"{symbol} {_(name)}" if word else symbol, style=style)
