"""How one step on one host ended, or why it waits, in a few words."""

from __future__ import annotations

import signal
from typing import Any

from plumber_core.model.states import StepState
from plumber_core.model.views import AttemptView, StepExecutionView
from plumber_core.terminal.language import N_, _
from plumber_core.terminal.sanitise import sanitise
from plumber_core.terminal.words import look

REASONS = {
    "no_connection_or_slot": N_("the agent is busy or away"),
}

TIMEOUTS = {
    "timeout": N_("it took longer than {limit}"),
    "idle_timeout": N_("it was silent for {limit}"),
}


def outcome_text(step: StepExecutionView, attempt: AttemptView | None) -> str:
    """Return ``exit 3``, a signal's name or what else ended the step; empty when it simply succeeded."""
    if step.state is StepState.SUCCEEDED or attempt is None:
        return ""
    cause = exit_text(attempt)
    word = "" if step.state is StepState.FAILED and cause else _(look(step.state).word)
    return " · ".join(part for part in (word, cause, _detail(attempt)) if part)


def _detail(attempt: AttemptView) -> str:
    detail, error = sanitise(attempt.detail, colours=False), attempt.error or ""
    if error in TIMEOUTS and detail:
        return _(TIMEOUTS[error], limit=detail)
    return detail or sanitise(error.replace("_", " "), colours=False)


def exit_text(attempt: AttemptView) -> str:
    """Return how the process ended: ``exit 1`` or ``SIGKILL``; empty when it never did."""
    if attempt.signal:
        return signal_name(attempt.signal)
    return "" if attempt.exit_code is None else _("exit {code}", code=attempt.exit_code)


def signal_name(number: int) -> str:
    """Return a signal's name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return _("signal {number}", number=number)


def waiting_text(waiting: dict[str, Any] | None) -> str:
    """Return why a step waits."""
    if not waiting:
        return ""
    code = str(waiting.get("code", ""))
    return _(REASONS[code]) if code in REASONS else sanitise(code.replace("_", " "), colours=False)
