"""What a resume would touch, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from plumber_core.model.resume_views import ResumeHost, ResumePreview
from plumber_core.terminal.language import _
from plumber_core.terminal.output import safe, table

MOST = 60
"""Hosts with a line of their own; of more the rest is counted."""


def preview_lines(view: ResumePreview) -> RenderableType:
    """Return steps and hosts, what stays, and the difference between the revisions."""
    steps = table([_("Step"), _("Hosts")], ((step.name, str(step.hosts)) for step in view.steps))
    names = {step.index: step.name for step in view.steps}
    hosts = table([_("Host"), _("From"), _("Note")], (_host(host, names) for host in view.hosts[:MOST]))
    return Group(steps, Text(), hosts, *_rest(view), Text(), *_facts(view), *_difference(view))


def _host(host: ResumeHost, names: dict[int, str]) -> tuple[str, str, str]:
    first = names.get(host.steps[0], "") if host.steps else ""
    notes = [_("{count} step(s) are passed", count=len(host.passed))] if host.passed else []
    if host.unknown:
        notes.append(_("{count} command(s) may still run: nobody knows how they ended", count=host.unknown))
    return host.name, first, ", ".join(notes)


def _rest(view: ResumePreview) -> Iterator[Text]:
    if view.hosts_total > min(MOST, len(view.hosts)):
        yield Text(_("… and {count} more", count=view.hosts_total - min(MOST, len(view.hosts))), style="dim")


def _facts(view: ResumePreview) -> Iterator[Text]:
    yield safe(
        _(
            "Round {round}: {steps} step(s) on {hosts} host(s) run anew, {kept} stay as they are.",
            round=view.round,
            steps=view.steps_total,
            hosts=view.hosts_total,
            kept=view.kept,
        )
    )
    if view.left_out:
        yield safe(_("On {count} host(s) something is left out that has not ended well.", count=view.left_out))
    if view.newest is not None:
        yield safe(_("It runs revision {number}; the newest is {newest}.", number=view.revision, newest=view.newest))


def _difference(view: ResumePreview) -> Iterator[Text]:
    if view.diff:
        yield Text()
        yield safe(view.diff.rstrip("\n"))
