"""Output of commands is data: it may colour itself, but not steer the terminal that shows it."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # any other CSI
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f-\x9f]"
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]"  # direction marks, line separators
    r"|[\ud800-\udfff]"
)
_NEEDS_CARE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_CONCEAL = 8
_EXTENDED = {"38", "48", "58"}
_EXTENDED_LENGTH = {"5": 2, "2": 4}
RESET = "\x1b[0m"


def sanitise(line: str, *, colours: bool = True) -> str:
    """Return one line of output that is safe to print.

    Colours and text attributes stay when ``colours`` is true, except hidden text. Everything else that a
    terminal would obey is removed; tabs become spaces.
    """
    if not _NEEDS_CARE.search(line):
        return line
    kept = _SEQUENCE.sub(lambda match: _kept(match, colours), line.expandtabs(8))
    return kept + RESET if "\x1b" in kept else kept


def _kept(match: re.Match[str], colours: bool) -> str:
    parameters = match["sgr"]
    if parameters is None or not colours:
        return ""
    shown = ";".join(_visible(parameters.split(";")))
    return f"\x1b[{shown}m" if shown or not parameters else ""


def _visible(parameters: list[str]) -> list[str]:
    kept: list[str] = []
    position = 0
    while position < len(parameters):
        length = 1
        if parameters[position] in _EXTENDED and position + 1 < len(parameters):
            length += _EXTENDED_LENGTH.get(parameters[position + 1], 0)
        taken = parameters[position : position + length]
        if taken[0].lstrip("0") != str(_CONCEAL):
            kept += taken
        position += length
    return kept


def carriage_returns(line: str) -> str:
    """Return what a terminal would show of a line that carriage returns overwrote, as progress bars do."""
    if "\r" not in line:
        return line
    return next((part for part in reversed(line.split("\r")) if part), "")
