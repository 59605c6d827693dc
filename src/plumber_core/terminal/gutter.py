"""Which line belongs to which host: a coloured margin, and marks where a step ends."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from plumber_core.protocol.frames import STDERR, SYSTEM
from plumber_core.terminal.lines import Line
from plumber_core.terminal.sanitise import sanitise

PALETTE = (36, 35, 33, 34, 32, 96, 95, 93, 94, 92)
"""SGR foregrounds, one a host in turn; red is kept for what went wrong."""
WIDEST = 24
_MARGINS = {STDERR: ("!", 31), SYSTEM: ("·", 2)}


def paint(text: str, code: int | str, colours: bool = True) -> str:
    """Return text in an SGR style, or as it is."""
    return f"\x1b[{code}m{text}\x1b[0m" if colours else text


class Gutter:
    """Knows each host's colour and the width that all their names share.

    Args:
        hosts: names in order.
        colours: whether the terminal takes colours.
        raw: pass everything on that commands print, even what steers the terminal.
    """

    def __init__(self, hosts: list[str], *, colours: bool, raw: bool = False) -> None:
        self.colours = colours
        self.raw = raw
        self.width = min(WIDEST, max((cell_len(sanitise(host, colours=False)) for host in hosts), default=0))
        self._colour = {host: PALETTE[number % len(PALETTE)] for number, host in enumerate(hosts)}

    def name(self, host: str) -> str:
        """Return a host's name in its colour, as wide as every other."""
        shown = sanitise(host, colours=False)
        if cell_len(shown) > self.width:
            shown = set_cell_size(shown, self.width - 1).rstrip() + "…"
        return paint(set_cell_size(shown, self.width), self._colour.get(host, PALETTE[0]), self.colours)

    def line(self, host: str, line: Line) -> str:
        """Return a line of output behind its margin: ``│``, ``!`` for stderr, ``·`` for Plumber's remarks."""
        symbol, code = _MARGINS.get(line.stream, ("│", self._colour.get(host, PALETTE[0])))
        return f"{self.name(host)} {paint(symbol, code, self.colours)} {self.content(line)}".rstrip(" ")

    def content(self, line: Line) -> str:
        """Return a line of output without a margin, safe to print."""
        text = line.text if self.raw else sanitise(line.text, colours=self.colours)
        return paint(text, 2, self.colours) if line.stream == SYSTEM else text
