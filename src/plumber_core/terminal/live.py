"""The screen of a terminal: output scrolls by, what runs now stays at the bottom."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from plumber_core.model.states import TERMINAL_STEP_STATES, StepState
from plumber_core.model.views import AttemptView, ExecutionDetail, StepExecutionView
from plumber_core.terminal.durations import duration_text
from plumber_core.terminal.lines import Line
from plumber_core.terminal.outcome import waiting_text
from plumber_core.terminal.screen import PlainScreen, clean
from plumber_core.terminal.summary import latest_rounds
from plumber_core.terminal.words import state_text

FRAMES_PER_SECOND = 8
MOST_HOSTS = 8
"""Hosts with a line of their own; more are counted by state."""
_QUIET = TERMINAL_STEP_STATES | {StepState.BLOCKED}


class Ansi:
    """Text that carries its own escape sequences, for a console that has a live part below it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text)


class LiveScreen(PlainScreen):
    """A ``PlainScreen`` with one status line a host and one for the whole."""

    def begin(self, detail: ExecutionDetail) -> None:
        super().begin(detail)
        self._count(detail)
        self._began = time.monotonic()
        self._since: dict[str, float] = {}
        self._partial: dict[str, str] = {}
        self._live = Live(
            get_renderable=self._status,
            console=self.console,
            refresh_per_second=FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def update(self, detail: ExecutionDetail) -> None:
        super().update(detail)
        self._count(detail)

    def lines(self, step: StepExecutionView, lines: list[Line], partial: str) -> None:
        super().lines(step, lines, partial)
        self._partial[step.id] = partial

    def ended(self, step: StepExecutionView, attempt: AttemptView | None, complete: bool) -> None:
        self._partial.pop(step.id, None)
        super().ended(step, attempt, complete)

    def finish(self, detail: ExecutionDetail) -> None:
        self.close()
        super().finish(detail)

    def close(self) -> None:
        if hasattr(self, "_live"):
            self._live.stop()

    def write(self, text: str) -> None:
        """Print above the status."""
        self.console.print(Ansi(text), soft_wrap=True, end="")

    def _status(self) -> RenderableType:
        active = self._active
        rows = min(MOST_HOSTS, max(1, self.console.height // 3))
        shown = self._host_lines(active) if len(active) <= rows else self._counts(active)
        return Group(shown, self._footer())

    def _count(self, detail: ExecutionDetail) -> None:
        """Count once a change, not once a frame."""
        steps = latest_rounds(detail.steps)
        self._state = detail.state
        self._total = len(steps)
        self._done = sum(step.state in TERMINAL_STEP_STATES for step in steps)
        self._active = [step for step in steps if step.state not in _QUIET]

    def _host_lines(self, active: list[StepExecutionView]) -> Table:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
        now = time.monotonic()
        for step in active:
            since = self._since.setdefault(step.id, now)
            tail = clean(self._partial.get(step.id, "")) or waiting_text(step.waiting)
            table.add_row(
                Text.from_ansi(self._gutter.name(step.host_name)),
                state_text(step.state),
                Text(clean(step.step)),
                Text(duration_text(float(int(now - since)) if now - since >= 10 else now - since)),
                Text(tail),
            )
        return table

    def _counts(self, active: list[StepExecutionView]) -> Text:
        counts = Counter(step.state for step in active)
        return Text("  ").join(state_text(state).append(f" {n}") for state, n in counts.most_common())

    def _footer(self) -> Text:
        elapsed = duration_text(time.monotonic() - self._began)
        return state_text(self._state).append(f"  {self._done}/{self._total}  {elapsed}", style="dim")
