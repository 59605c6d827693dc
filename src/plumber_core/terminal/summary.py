"""The result of an execution: every step on every host, then one line."""

from __future__ import annotations

from collections import Counter

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from plumber_core.errors import error_classes
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.views import ExecutionDetail, StepExecutionView
from plumber_core.terminal.durations import duration_text, span
from plumber_core.terminal.language import _, language
from plumber_core.terminal.outcome import exit_text, outcome_text, waiting_text
from plumber_core.terminal.output import listing
from plumber_core.terminal.sanitise import sanitise
from plumber_core.terminal.words import state_text

ALL_ROWS = 60
"""Rows up to which every host is listed; beyond, hosts that succeeded are only counted."""


def summary(detail: ExecutionDetail, console: Console) -> RenderableType:
    """Return the table of results with the verdict below it."""
    steps = latest_rounds(detail.steps)
    if not steps:
        return verdict(detail)
    shown = steps if len(steps) <= ALL_ROWS else [s for s in steps if s.state is not StepState.SUCCEEDED]
    parts: list[RenderableType] = [] if shown == steps else [_count_table(steps)]
    if shown:
        parts.append(step_table(shown[:ALL_ROWS]))
    if len(shown) > ALL_ROWS:
        parts.append(Text(_("… and {count} more", count=len(shown) - ALL_ROWS), style="dim"))
    return Group(Text(), *parts, Text(), verdict(detail))


def latest_rounds(steps: list[StepExecutionView]) -> list[StepExecutionView]:
    """Return each step on each host once, in its newest round, in the order of the task and its hosts."""
    place = {host: number for number, host in enumerate(dict.fromkeys(step.host for step in steps))}
    newest = (step for step in steps if not step.replaced)
    return sorted(newest, key=lambda s: (s.index, place[s.host]))


def step_table(steps: list[StepExecutionView]) -> Table:
    """Return one row for each step on each host; a step's name stands once."""
    table = listing()
    table.add_column(_("Step"), overflow="fold")
    table.add_column(_("Host"), overflow="fold")
    table.add_column(_("State"), no_wrap=True)
    table.add_column(_("Result"), overflow="fold")
    table.add_column(_("Time"), justify="right", no_wrap=True)
    last = -1
    for step in steps:
        name = "" if step.index == last else sanitise(step.step, colours=False)
        last = step.index
        table.add_row(Text(name), Text(sanitise(step.host_name, colours=False)), state_text(step.state), *_result(step))
    return table


def verdict(detail: ExecutionDetail) -> Text:
    """Return the line that says how the execution ended, or how it stands."""
    line = state_text(detail.state)
    line.stylize("bold")
    took = detail.duration if detail.duration is not None else span(detail.created_at, detail.ended_at)
    if took is not None:
        line.append(
            " " + _("in {duration}", duration=duration_text(took)),
        )
    if detail.main_state is not None and detail.state is ExecutionState.RUNNING:
        word = state_text(detail.main_state).plain.partition(" ")[2]
        line.append("  " + _("{state}: its always steps run", state=word), style="dim")
    if detail.warnings:
        line.append("  " + _("{count} failure(s) were allowed", count=detail.warnings), style="yellow")
    line.append(f"  {detail.id}", style="dim")
    if detail.waiting is not None:
        line.append(f"\n{waiting_text(detail.waiting)}", style="yellow")
    return line.append(f"\n{problem}", style="red") if (problem := _problem(detail)) else line


def _problem(detail: ExecutionDetail) -> str:
    """Return why an execution could not go on, when no step's outcome tells it."""
    kind = error_classes().get(str((detail.problem or {}).get("code")))
    if detail.problem is None or kind is None:
        return ""
    return sanitise(kind(**detail.problem.get("arguments", {})).explain(language()), colours=False)


def _result(step: StepExecutionView) -> tuple[Text, Text]:
    attempt = step.attempts[-1] if step.attempts else None
    took = attempt.duration if attempt else None
    took = span(step.started_at, step.ended_at) if took is None else took
    if attempt is None or step.waiting is not None:
        result = waiting_text(step.waiting or step.cause)
    else:
        result = exit_text(attempt) if step.state is StepState.SUCCEEDED else _without_word(step)
    if len(step.attempts) > 1:
        result = f"{result} ({_('try {number}', number=attempt.number if attempt else 0)})"
    return Text(result), Text(duration_text(took))


def _without_word(step: StepExecutionView) -> str:
    """Return the outcome without the state's word: that stands in its own column."""
    attempt = step.attempts[-1]
    word = state_text(step.state).plain.partition(" ")[2]
    return outcome_text(step, attempt).removeprefix(word).removeprefix(" · ")


def _count_table(steps: list[StepExecutionView]) -> Table:
    table = listing()
    table.add_column(_("Step"), overflow="fold")
    table.add_column(_("State"))
    for index in sorted({step.index for step in steps}):
        same = [step for step in steps if step.index == index]
        counts = Counter(step.state for step in same)
        cell = Text("  ").join(state_text(state).append(f" {count}") for state, count in counts.most_common())
        table.add_row(Text(sanitise(same[0].step, colours=False)), cell)
    return table
