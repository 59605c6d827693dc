"""``agent match``: who a target expression means, who it nearly does, and why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group, RenderableType
from rich.text import Text

from plumber_client.commands.connect import server
from plumber_core.model.overviews import FailedTerm, NearMiss, TargetMatch
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Output
from plumber_core.terminal.output import emit, safe, table
from plumber_core.terminal.words import state_text

Expression = Annotated[str, Parameter(help=_("A target expression, such as role=web and not web-3."))]


async def match(expression: Expression, /, *, output: Output = "table") -> int:
    """Show who a target expression means now, and who nearly does; exit with 1 when it means nobody."""
    async with server() as plumber:
        found = await plumber.agents.match(on=expression)
    emit(found, output, lambda: _picture(found))
    return 0 if found.total else 1


def _picture(found: TargetMatch) -> RenderableType:
    pool = [safe(_("A pool: a step runs on any {n} of these.", n=found.any_of))] if found.any_of else []
    return Group(
        *pool,
        safe(_("{total} match, {online} of them are online.", total=found.total, online=found.online)),
        table([_("Name"), _("Matches"), _("Why not")], _rows(found)),
        *_hints(found),
    )


def _rows(found: TargetMatch) -> Iterator[tuple[str | Text, ...]]:
    offline = set(found.offline_names)
    for name in found.names:
        yield name, Text(_("yes"), style="green"), _("it would wait: not online") if name in offline else ""
    if found.total > len(found.names):
        yield _("... and {n} more", n=found.total - len(found.names)), "", ""
    for near in found.near:
        yield near.name, Text(_("no"), style="red"), _why_not(near)


def _why_not(near: NearMiss) -> str:
    if not near.failed:
        return _("it is {state}", state=state_text(near.state).plain)
    return "; ".join(map(_failed, near.failed))


def _failed(one: FailedTerm) -> str:
    if one.value is None:
        return _("{term}: it has no {label}", term=one.term, label=one.label)
    return _("{term}: its {label} is {value}", term=one.term, label=one.label, value=one.value)


def _hints(found: TargetMatch) -> Iterator[Text]:
    for one in found.unknown:
        if one.nearest is None:
            yield safe(_("No agent has {word}.", word=one.word))
        else:
            yield safe(_("No agent has {word}. Did you mean {nearest}?", word=one.word, nearest=one.nearest))
