"""How one step on one host ended, or why it waits, in a few words."""

from __future__ import annotations

import signal
from datetime import datetime
from typing import Any

from plumber_core.model.states import StepState
from plumber_core.model.views import AttemptView, StepExecutionView
from plumber_core.terminal.durations import local_time
from plumber_core.terminal.language import N_, _
from plumber_core.terminal.sanitise import sanitise
from plumber_core.terminal.words import look

REASONS = {
    "no_connection_or_slot": N_("the agent is busy or away"),
    "agent_gone": N_("its agent was deleted"),
    "agent_offline": N_("{agent} is offline since {since}"),
    "agent_offline_until": N_("{agent} is offline since {since}; it is waited for until {until}"),
    "agent_never": N_("{agent} has never connected"),
    "agent_never_until": N_("{agent} has never connected; it is waited for until {until}"),
    "agent_draining": N_("{agent} is draining and takes no new steps: plumber agent activate"),
    "agent_disabled": N_("{agent} is disabled: plumber agent activate"),
    "agent_revoked": N_("{agent} was revoked and gets no steps any more"),
    "agent_conflict": N_("another copy of {agent} is alive, so neither gets steps: plumber agent rotate"),
    "agent_disk_pressure": N_("{agent} is short of disk and takes no steps for now"),
    "agent_stopping": N_("{agent} is about to stop and takes no steps any more"),
    "agent_restarting": N_("{agent} is about to restart and takes no steps until it is back"),
    "host_restarts": N_("its host restarts since {since} and has to be back by {until}"),
    "agent_refuses": N_("{agent} takes no steps for now: {reason}"),
    "no_free_slot": N_("{agent} is busy: {running} of its {slots} slots are taken"),
    "agent_takes": N_("{agent} is about to take it"),
    "queue_turn": N_("place {position} in the queue {key}; {task} of {by} runs: {execution}"),
    "queue_next": N_("place {position} in the queue {key}"),
    "lock_step": N_("lock {lock} is held by {step} on {host}, {task} of {by}: {execution}; place {position}"),
    "lock_run": N_("lock {lock} is held by {task} of {by}: {execution}; place {position}"),
    "lock_next": N_("place {position} for the lock {lock}"),
    "missed": N_("never started: its host is offline since {since}"),
    "missed_never": N_("never started: its host has never connected"),
    "queue_timeout": N_("never started: nobody took it within queue_timeout"),
    "inventory": N_("its agent has not told yet what it ran in commits that the database lost; last heard {since}"),
    "vouch": N_("its agent cannot tell what it ran in commits that the database lost: see plumber agent waive"),
    "pool_offline": N_("none of the {agents} agents that may run it is online"),
    "pool_busy": N_("none of the {agents} agents that may run it has taken it yet; {online} of them are online"),
    "retry": N_("attempt {attempt} of {attempts} at {until}"),
    "batch_pause": N_("{block} pauses after batch {batch} of {batches} and goes on at {until}"),
    "batch_go": N_("{block} waits after batch {batch} of {batches} until somebody says go: plumber execution go"),
    "batch_gate": N_("the gate behind batch {batch} of {batches} decides whether {block} goes on"),
    "batch_turn": N_("its turn is batch {batch} of {batches}; batch {current} of {block} runs"),
    "always_turn": N_("it runs when all other steps have ended, however"),
    "needs": N_("it waits for {steps}"),
    "when_false": N_("not here: {when}"),
    "paused": N_("paused by {by} since {since}: plumber execution continue"),
    "paused_why": N_("paused by {by} since {since}: {reason}"),
    "paused_failed": N_("paused since {since}, because {step} failed on {host}: plumber execution continue, or retry"),
    "agent_silent": N_("no word from its agent since {since}; still running as far as known"),
    "cancel_unheard": N_("cancel requested; no word from its agent since {since}"),
}

TIMEOUTS = {
    "timeout": N_("it took longer than {limit}"),
    "idle_timeout": N_("it was silent for {limit}"),
}


ENDS = {
    "rebooted": N_("host rebooted: how it ended is unknown"),
    "not_restarted": N_("its host was asked to restart and did not in time"),
    "not_back": N_("its host was asked to restart and has not come back"),
    "restart_failed": N_("its host could not be asked to restart, see its output"),
    "restart_asked": N_("its host was asked to restart already and may still do so"),
}


def outcome_text(step: StepExecutionView, attempt: AttemptView | None) -> str:
    """Return ``exit 3``, a signal's name or what else ended the step; empty when it simply succeeded."""
    if step.state is StepState.SUCCEEDED or attempt is None:
        return ""
    cause = exit_text(attempt)
    word = "" if step.state is StepState.FAILED and cause else _(look(step.state).word)
    return " · ".join(part for part in (word, cause, _detail(attempt), late_text(attempt)) if part)


def late_text(attempt: AttemptView) -> str:
    """Return what was reported after the step had ended otherwise, or an empty string."""
    if attempt.late is None:
        return ""
    code, number = attempt.late.get("exit_code"), attempt.late.get("signal")
    ended = signal_name(number) if number else "" if code is None else _("exit {code}", code=code)
    state = str(attempt.late.get("state", ""))
    known = state in StepState.__members__.values()
    word = _(look(StepState(state)).word) if known else sanitise(state, colours=False)
    return _("reported later: {outcome}", outcome=" · ".join(part for part in (word, ended) if part))


def _detail(attempt: AttemptView) -> str:
    if attempt.oom:
        return _("killed for want of memory")
    detail, error = sanitise(attempt.detail, colours=False), attempt.error or ""
    if error in TIMEOUTS and detail:
        return _(TIMEOUTS[error], limit=detail)
    if error in ENDS and not detail:
        return _(ENDS[error])
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
    if code not in REASONS:
        return sanitise(code.replace("_", " "), colours=False)
    if isinstance(steps := waiting.get("steps"), list):
        waiting = {**waiting, "steps": sanitise(", ".join(map(str, steps)), colours=False)}
    times = {name: _time(waiting.get(name)) for name in ("until", "since")}
    return _(REASONS[code], **{**waiting, **times})


def _time(value: Any) -> str:
    return local_time(datetime.fromisoformat(value)) if isinstance(value, str) else "?"
