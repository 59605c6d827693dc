"""Answers as a table for people or as JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from pydantic import BaseModel
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from plumber_core.terminal.console import out
from plumber_core.terminal.language import N_, _
from plumber_core.terminal.sanitise import sanitise

Format = Literal["table", "json"]
WHOLE = (N_("Id"), N_("State"), N_("Presence"), N_("Running"), N_("Started"), N_("Time"), N_("Created"))
"""Columns whose cells are never broken: names and texts give way first."""
Answer = BaseModel | Sequence[BaseModel]


def emit(answer: Answer, output: str, render: Callable[[], RenderableType]) -> None:
    """Print an answer: as JSON when ``output`` says so, else as ``render`` makes it."""
    if output == "json":
        sys.stdout.write(json_text(answer) + "\n")
    else:
        out().print(render(), soft_wrap=True)


def json_text(answer: Answer) -> str:
    """Return an answer as indented JSON."""
    value = (
        answer.model_dump(mode="json")
        if isinstance(answer, BaseModel)
        else [item.model_dump(mode="json") for item in answer]
    )
    return json.dumps(value, indent=2, ensure_ascii=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> RenderableType:
    """Return rows under headings, or a word when there are none; strings from others are made safe."""
    shown = listing()
    whole = {_(name) for name in WHOLE}
    for column in columns:
        shown.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else safe(cell) for cell in row))
    return shown if shown.row_count else Text(_("None."), style="dim")


def listing() -> Table:
    """Return an empty table in the one style of all lists."""
    return Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)


def fields(pairs: Iterable[tuple[str, str | Text]]) -> Table:
    """Return names with values, one a line; those without a value are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(name, value if isinstance(value, Text) else safe(value))
    return grid


def safe(text: str) -> Text:
    """Return text that others wrote, without markup and without what would steer the terminal."""
    return Text("\n".join(sanitise(line, colours=False) for line in text.split("\n")))
