"""Why a request was refused, by code: English sentences that are gettext identifiers.

An error's ``reason`` is such a sentence with its arguments filled in; ``because`` keeps code and arguments, so that
another language can be spoken wherever the error is shown. The parts of a sentence that are words of ours, such as what
was expected, are made in the same way and may stand among the arguments of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString, Self

from plumber_core.locales import translate

REASONS: Mapping[str, LiteralString] = {
    "agent_deleted": "agent {name} was deleted",
    "agent_exists": "an agent named {name} exists already",
    "agent_not_awaited": "nothing is awaited of agent {name}",
    "agent_revoked": "agent {name} was revoked",
    "agent_runs": "agent {name} still runs something",
    "agent_state": "agent {name} is {state} and cannot become {wanted}",
    "already_delivered": "it was delivered",
    "already_ended": "the execution has already ended: {state}",
    "bad_character": "it contains a character that is no text",
    "bad_expression": "this expression takes too long or too much memory",
    "bad_group_name": "a group's name is letters, digits, . _ and - only, at most 63",
    "bad_label_name": "a label starts with a letter and goes on with letters, digits, . _ / -",
    "bad_label_value": "its value must be one visible line",
    "bad_password": "a password has {least} to {most} characters",
    "bad_query": "must be one line of 1 to {most} characters",
    "bad_time": "it is no time of ISO 8601",
    "batch_after_all": "nothing can follow 100%, which is the rest",
    "batch_growth_first": "{word} needs a size before it, such as 5 {word}",
    "batch_growth_inside": "{word} can only stand in the last place",
    "batch_not_waiting": "no batch of this execution waits",
    "batch_other": "{block} waits after batch {batch}, not after batch {wanted}",
    "batch_syntax": "{word} is no size: 5, 10%, or *2 and +5 in the last place",
    "batch_too_many": "there are more than {most} sizes",
    "between": "it must be from {least} to {most}",
    "busy": "this execution is busy",
    "by_hand_not_its_turn": "step {step} cannot begin there: something before it has not ended well",
    "by_hand_open": "step {step} has not ended there: it is {state}",
    "by_hand_parts": "its task has branches, conditions or steps that always run: pause it first, or resume it once it "
    "has ended",
    "by_hand_passed": "the execution has gone on without step {step} there: resume it once it has ended",
    "by_hand_state": "a step cannot be taken in hand while its execution is {state} or being cancelled",
    "by_hand_well": "step {step} has ended well there",
    "cancel_some_nothing": "nothing of that is waiting or running",
    "cancel_some_state": "hosts and steps can be cancelled while an execution runs or is paused; this one is {state}",
    "cannot_be_checked": "cannot be checked: {detail}",
    "connections_busy": "every database connection is busy",
    "continue_state": "only a paused execution can be continued; this one is {state}",
    "database_away": "the database went away while the execution was written",
    "database_closed": "the database is closed",
    "does_not_fit": "does not fit what is expected ({detail})",
    "empty": "it is empty",
    "empty_name": "a name is empty",
    "expect_amount": "a number of hosts or a share such as 2%",
    "expect_amounts": "a number of hosts, a share such as 2%, or both as total and batch",
    "expect_any_number": "a number",
    "expect_channels": "the name of a channel, or a list of names",
    "expect_duration": "a duration such as 30s, 10m or 1h30m",
    "expect_finite": "a finite number",
    "expect_integer": "a whole number from {low} to {high}",
    "expect_list": "a list",
    "expect_lock": "names such as db or db:shared, or mappings such as name: licences, limit: 20",
    "expect_mapping": "a mapping",
    "expect_name_beside": "a name, given beside the file",
    "expect_number": "a number from {low} to {high}",
    "expect_offline": "fail, skip, queue with a duration such as queue 24h, or a mapping of policy and quorum",
    "expect_order": "name, random, or a mapping such as label: rack",
    "expect_pause": "a duration such as 30s, 10m or 1h30m, or manual",
    "expect_switch": "true or false",
    "expect_table": "a table",
    "expect_tables": "a list of tables: [[step]]",
    "expect_target": "an expression or a list of names",
    "expect_target_amount": "a number, a size or a version",
    "expect_target_link": "and, or, or the end",
    "expect_target_value": "a value",
    "expect_target_word": "a name, a label or all",
    "expect_text": "text",
    "fleet_changes": "the fleet keeps changing; try again",
    "frames_only": "is only possible with format=frames",
    "group_circle": "the groups are made of each other: {path}",
    "group_nearest": "there is no group {name}, the nearest is {nearest}",
    "group_pool": "a group says who belongs to it: any N of is for steps",
    "group_too_large": "with its groups opened the target has more than {most} terms",
    "group_unknown": "there is no group {name}",
    "group_used": "group {name} is part of group {by}",
    "in_gate": "A gate",
    "in_notify": "The key notify",
    "in_original": "The original's file",
    "in_original_step": "A step of the original's",
    "in_parameter": "A parameter",
    "in_rollout": "A rollout",
    "in_step": "A step",
    "in_task": "A task",
    "inside_frame": "it is inside a frame",
    "line_or_tail": "give either a line or a tail",
    "lock_pool": "whoever is free runs it, so {placeholder} in the name of a lock is not known beforehand",
    "log_ends": "the log ends at {end}",
    "log_lines": "the log has {lines} lines",
    "log_part_missing": "a part of the log is missing",
    "must_be_64_bits": "must be a whole number of at most 64 bits",
    "must_be_finite": "must be a finite number",
    "must_be_integer": "must be a whole number",
    "must_be_json_list": "must be a list: the text begins like JSON but is not",
    "must_be_least": "must be at least {least}",
    "must_be_line": "must be one line (type text takes several)",
    "must_be_lines": "must be a list whose entries are text of one line each",
    "must_be_list": "must be a list",
    "must_be_most": "must be at most {most}",
    "must_be_number": "must be a number",
    "must_be_one_of": "must be one of {choices}",
    "must_be_one_of_hint": "must be one of {choices} (perhaps {guess})",
    "must_be_switch": "must be true or false",
    "must_be_target": "must be a target expression: {detail}",
    "must_be_text": "must be text",
    "must_have_least_characters": "must be at least {least} characters",
    "must_have_least_entries": "must be at least {least} entries",
    "must_have_most_characters": "must be at most {most} characters",
    "must_have_most_entries": "must be at most {most} entries",
    "must_match": "must match {pattern}",
    "negative": "must not be negative",
    "never_saved": "{task} was run without being saved; run its file again",
    "no_environment_text": "holds a character that no environment can carry",
    "no_event": "{value} is not the id of an event",
    "no_names": "the list of names is empty",
    "no_steps": "the task has no steps",
    "no_target": "neither the step nor the task has a target",
    "not_an_object": "must be an object",
    "not_in_time": "the body did not arrive in time",
    "not_stuck": "subscriber {name} is not stuck",
    "nothing_to_do": "it has neither run nor uses",
    "nul": "a value holds a NUL",
    "offset_or_place": "give either an offset or another place",
    "one_line": "it must be one visible line of 1 to {most} characters",
    "parameter_required": "is required",
    "parameter_unknown": "is not a parameter of this task",
    "parameter_unknown_hint": "is not a parameter of this task (perhaps {guess})",
    "pause_state": "only an execution that runs can be paused; this one is {state}",
    "paused_go": "the execution is paused: continue it first",
    "pool_reads_agent": "whoever is free runs it, so agent is not known beforehand; the command has PLUMBER_AGENT_NAME",
    "pool_too_small": "any {wanted} of is asked for, but only {found} match",
    "resume_held": "others hold or wait for what it has to hold ({names}): resume it when they have ended",
    "resume_not_there": "step {step} runs on none of these hosts",
    "resume_nothing": "nothing of what was chosen is left to run",
    "resume_other_shape": "step {step} is new, gone or elsewhere in the newest revision: it does not fit what is done",
    "resume_state": "only an execution that has failed or was cancelled can be resumed; this one is {state}",
    "rollout_pool": "any {wanted} of leaves open who runs it: a block and a rollout need all of their hosts",
    "saved_meanwhile": "task {name} was saved by somebody else meanwhile",
    "starting_or_stopping": "it is starting or stopping",
    "stuck_elsewhere": "subscriber {name} is stuck at another event: {event}",
    "target_disabled": "{name} would, but is disabled or revoked",
    "target_empty_list": "the list of names is empty",
    "target_end": "column {column}: expected {expected}, found the end",
    "target_hint": "column {column}: expected {expected}, found {found} (write {hint})",
    "target_near": "{name} would, but for {term}",
    "target_nearest": "no agent has {word}, the nearest is {nearest}",
    "target_no_agents": "there is no agent yet",
    "target_pool_inside": "column {column}: any N of can only stand at the beginning",
    "target_quote": "column {column}: a quote is not closed",
    "target_syntax": "column {column}: expected {expected}, found {found}",
    "target_too_deep": "column {column}: nested too deeply",
    "target_unknown": "no agent has {word}",
    "too_long": "it is longer than {most} characters",
    "too_many_bytes": "is longer than {most} bytes",
    "unit_bytes": "bytes",
    "unit_calls": "calls",
    "unit_characters": "characters",
    "unit_executions": "step executions",
    "unit_loops": "loop",
    "unit_steps": "steps",
    "when_no_switch": "its condition must be true or false, but is {value}",
    "when_whole": "a condition is one expression: nothing can follow its end",
    "wheels": "the agent's wheels cannot be packed here, see the server's log",
}


class Because(str):
    """A reason's English text, that still knows its ``code`` and ``arguments``."""

    code: str
    arguments: dict[str, Any]

    @classmethod
    def of(cls, code: str, arguments: Mapping[str, Any]) -> Self:
        """Fill a sentence of ``REASONS``."""
        made = cls(REASONS[code].format_map(arguments))
        made.code, made.arguments = code, dict(arguments)
        return made


def because(code: str, **arguments: Any) -> Because:
    """Return a reason for an error; the arguments are JSON values, or reasons themselves."""
    return Because.of(code, arguments)


def coded(reason: Because) -> dict[str, Any]:
    """Return a reason as JSON: ``{"code": ..., "arguments": {...}}``."""
    arguments = {name: coded(it) if isinstance(it, Because) else it for name, it in reason.arguments.items()}
    return {"code": reason.code, "arguments": arguments}


def spoken(reason: Any, language: str) -> str | None:
    """Return a coded reason in ``language``; None for one that a newer release made."""
    if not isinstance(reason, dict) or not isinstance(arguments := reason.get("arguments"), dict):
        return None
    sentence = REASONS.get(str(reason.get("code")))
    if sentence is None:
        return None
    told = {name: spoken(it, language) or it for name, it in arguments.items()}
    return translate(sentence, language).format_map(_Arguments(told))


class _Arguments(dict[str, Any]):
    """Format arguments that never raise: an error about an error helps nobody."""

    def __missing__(self, key: str) -> str:
        return "?"
