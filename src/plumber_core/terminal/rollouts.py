"""Rollouts in a terminal: batches planned, and batches as they stand."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from plumber_core.model.rollout_views import BatchView, PlannedRollout, RolloutView
from plumber_core.model.views import ExecutionDetail, PlanView
from plumber_core.terminal.durations import duration_text
from plumber_core.terminal.language import N_, _
from plumber_core.terminal.outcome import waiting_text
from plumber_core.terminal.output import safe

NAMES = 5
MOST = 20
"""Batches with a line of their own; of more the rest is counted."""
STATES = {
    "blocked": N_("not yet"),
    "waiting": N_("waits"),
    "running": N_("running"),
    "gate": N_("at its gate"),
    "passed": N_("passed"),
    "stopped": N_("stopped the rollout"),
    "skipped": N_("skipped"),
}


def planned_lines(plan: PlanView) -> Iterator[Text]:
    """Yield how each block of a plan would spread over its hosts."""
    for rollout in plan.rollouts:
        yield Text()
        yield _head(rollout.block, _rules(plan, rollout))
        for batch in rollout.batches[:MOST]:
            names = ", ".join(batch.names[:NAMES])
            more = batch.hosts - min(NAMES, len(batch.names))
            line = _("batch {n}: {count} host(s)", n=batch.number, count=batch.hosts)
            names += " " + _("and {count} more", count=more) if more else ""
            yield safe(f"  {line}  {names}")
        yield from _rest(len(rollout.batches))


def rollout_lines(detail: ExecutionDetail) -> Iterator[Text]:
    """Yield how each rollout of an execution stands."""
    for rollout in detail.rollouts:
        if len(rollout.batches) < 2 and rollout.waiting is None:
            continue
        yield Text()
        yield _head(rollout.block, waiting_text(rollout.waiting))
        yield from _batches(rollout)


def _batches(rollout: RolloutView) -> Iterator[Text]:
    for batch in rollout.batches[:MOST]:
        yield safe(f"  {_line(batch)}")
    yield from _rest(len(rollout.batches))


def _line(batch: BatchView) -> str:
    line = _("batch {n}: {count} host(s)", n=batch.number, count=batch.hosts) + f"  {_(STATES[batch.state])}"
    return f"{line}  {_('{count} failed', count=batch.failed)}" if batch.failed else line


def _head(block: str, said: str) -> Text:
    head = Text(safe(block).plain, style="bold")
    return head.append("  " + safe(said).plain, style="dim") if said else head


def _rest(batches: int) -> Iterator[Text]:
    if batches > MOST:
        yield Text("  " + _("… and {count} more", count=batches - MOST), style="dim")


def _rules(plan: PlanView, rollout: PlannedRollout) -> str:
    parts = []
    if rollout.most_failed is not None:
        parts.append(_("stops when more than {count} host(s) fail", count=rollout.most_failed))
    if rollout.pause == "manual":
        parts.append(_("waits for go between batches"))
    elif rollout.pause is not None:
        parts.append(_("{duration} between batches", duration=duration_text(rollout.pause)))
    if rollout.gates:
        parts.append(_("each batch has a gate: {name}", name=plan.steps[rollout.gates[0]].name))
    return " · ".join(parts)
