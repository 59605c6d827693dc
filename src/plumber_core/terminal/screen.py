"""Where a watched execution is shown: nothing, plain lines, or a terminal with a live status below them."""

from __future__ import annotations

import io
from typing import Protocol

from rich.console import Console
from rich.text import Text

from plumber_core.errors import PlumberError
from plumber_core.model.views import AttemptView, ExecutionDetail, StepExecutionView
from plumber_core.terminal.durations import duration_text, span
from plumber_core.terminal.gutter import Gutter
from plumber_core.terminal.language import _, language
from plumber_core.terminal.lines import Line
from plumber_core.terminal.outcome import outcome_text, waiting_text
from plumber_core.terminal.sanitise import sanitise
from plumber_core.terminal.summary import summary
from plumber_core.terminal.words import state_text

RULE_WIDTH = 80


class Screen(Protocol):
    """What ``watch`` tells; every method returns at once."""

    def begin(self, detail: ExecutionDetail) -> None:
        """The execution as it stood when watching began."""

    def update(self, detail: ExecutionDetail) -> None:
        """The execution as it stands now."""

    def started(self, step: StepExecutionView) -> None:
        """An attempt's output follows."""

    def lines(self, step: StepExecutionView, lines: list[Line], partial: str) -> None:
        """Whole lines, and what stands on the line after them so far."""

    def ended(self, step: StepExecutionView, attempt: AttemptView | None, complete: bool) -> None:
        """All output of an attempt was told; ``complete`` is false when some is missing."""

    def trouble(self, error: PlumberError) -> None:
        """The control plane is away; watching goes on when it is back."""

    def finish(self, detail: ExecutionDetail) -> None:
        """The execution has ended and everything was told."""

    def close(self) -> None:
        """Nothing follows; also called when watching was interrupted."""


class QuietScreen:
    """Shows nothing: for JSON, which is printed at the end."""

    def begin(self, detail: ExecutionDetail) -> None: ...
    def update(self, detail: ExecutionDetail) -> None: ...
    def started(self, step: StepExecutionView) -> None: ...
    def lines(self, step: StepExecutionView, lines: list[Line], partial: str) -> None: ...
    def ended(self, step: StepExecutionView, attempt: AttemptView | None, complete: bool) -> None: ...
    def trouble(self, error: PlumberError) -> None: ...
    def finish(self, detail: ExecutionDetail) -> None: ...
    def close(self) -> None: ...


class PlainScreen:
    """Prints line after line: for pipes, files and CI.

    Args:
        console: where to print.
        raw: pass control characters of commands on.
        summarise: print the table of results at the end.
    """

    def __init__(self, console: Console, *, raw: bool = False, summarise: bool = True) -> None:
        self.console = console
        self._raw = raw
        self._summarise = summarise
        self._gutter = Gutter([], colours=False)
        self._heading = -1
        self._told: list[str] = []
        self._away = False
        self._marked: dict[str, int] = {}

    def begin(self, detail: ExecutionDetail) -> None:
        hosts = list(dict.fromkeys(step.host_name for step in detail.steps))
        steps = len({step.index for step in detail.steps})
        self._gutter = Gutter(hosts, colours=self.console.color_system is not None, raw=self._raw)
        title = Text.assemble((clean(detail.task), "bold"))
        counted = _("{steps} step(s) on {hosts} host(s)", steps=steps, hosts=len(hosts))
        title.append(f"  {counted} · {detail.id}", style="dim")
        self.console.print(title, soft_wrap=True)

    def update(self, detail: ExecutionDetail) -> None:
        self._away = False
        reasons = [detail.waiting, *(rollout.waiting for rollout in detail.rollouts)]
        waiting = [waiting_text(reason) for reason in reasons if reason is not None]
        for sentence in waiting:
            if sentence not in self._told:
                self.write(f"{self._ansi(Text(clean(sentence), style='dim'))}\n")
        self._told = waiting

    def started(self, step: StepExecutionView) -> None:
        if self._heading != step.index and step.index not in self._marked.values():
            self._heading = step.index
            self.console.print(self._rule(step), soft_wrap=True)
        elif self._heading != step.index:
            self.write(f"{self._gutter.name(step.host_name)} ▶ {clean(step.step)}\n")
        self._marked[step.host] = step.index

    def lines(self, step: StepExecutionView, lines: list[Line], partial: str) -> None:
        if lines:
            self.write("".join(f"{self._gutter.line(step.host_name, line)}\n" for line in lines))

    def ended(self, step: StepExecutionView, attempt: AttemptView | None, complete: bool) -> None:
        mark = state_text(step.state, word=False)
        mark.append(f" {clean(step.step)}  ")
        took = duration_text(attempt_duration(attempt))
        mark.append(" · ".join(part for part in (outcome_text(step, attempt), took) if part), style="dim")
        if not complete:
            mark.append("  " + _("the end of the output is missing"), style="yellow")
        self.write(f"{self._gutter.name(step.host_name)} {self._ansi(mark)}\n")

    def trouble(self, error: PlumberError) -> None:
        if not self._away:
            self._away = True
            self.console.print(Text(error.explain(language()), style="yellow"), soft_wrap=True)
            self.console.print(Text(_("The execution goes on; waiting for the server."), style="dim"))

    def finish(self, detail: ExecutionDetail) -> None:
        if self._summarise:
            self.console.print(summary(detail, self.console))

    def close(self) -> None: ...

    def write(self, text: str) -> None:
        """Print lines that carry their own colours."""
        self.console.file.write(text)
        self.console.file.flush()

    def _rule(self, step: StepExecutionView) -> Text:
        width = min(self.console.width, RULE_WIDTH)
        rule = Text.assemble(("── ", "dim"), (clean(step.step), "bold"), " ")
        rule.append("─" * max(3, width - rule.cell_len), style="dim")
        return rule

    def _ansi(self, text: Text) -> str:
        if not self._gutter.colours:
            return text.plain
        buffer = io.StringIO()
        Console(file=buffer, force_terminal=True, color_system="standard", width=10_000).print(text, end="")
        return buffer.getvalue()


def clean(name: str) -> str:
    """Return a name that others chose, safe to print."""
    return sanitise(name, colours=False)


def attempt_duration(attempt: AttemptView | None) -> float | None:
    """Return how long an attempt took, in seconds, as its agent measured it."""
    if attempt is None:
        return None
    return attempt.duration if attempt.duration is not None else span(attempt.started_at, attempt.ended_at)
