"""The two streams of a command: answers on stdout, everything about the command itself on stderr."""

from __future__ import annotations

import functools
import os
import sys
from typing import TextIO

from rich.console import Console
from rich.theme import Theme

_PLAIN = Theme({"repr.number": "none", "repr.str": "none"})


@functools.cache
def out() -> Console:
    """Return the console of answers; NO_COLOR, FORCE_COLOR and pipes are respected."""
    return Console(highlight=False, theme=_PLAIN, width=_width(sys.stdout))


def _width(stream: TextIO) -> int | None:
    """Return the width of what is no terminal: wide enough that other programs find whole lines."""
    return None if stream.isatty() or os.environ.get("COLUMNS") else 120


@functools.cache
def err() -> Console:
    """Return the console of errors and remarks."""
    return Console(stderr=True, highlight=False, theme=_PLAIN)


def prepare_streams() -> None:
    """Make sure that no character can end the command: what an old terminal cannot show becomes ``?``."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def remark(text: str) -> None:
    """Tell something on stderr that is no part of the answer."""
    err().print(text, style="dim", markup=False, soft_wrap=True)
