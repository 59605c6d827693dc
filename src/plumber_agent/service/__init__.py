"""The systemd unit of an agent."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

UNIT = Path(__file__).with_name("plumber-agent.service")


def unit_text(config: Path, workdir: Path, options: Sequence[str] = ()) -> str:
    """Return the unit for this installation; ``options`` are the agent's other options."""
    paths = {"@AGENT@": _program(), "@CONFIG@": config.resolve(), "@WORKDIR@": workdir.resolve()}
    text = UNIT.read_text().partition("\n")[2]
    for mark, path in paths.items():
        text = text.replace(mark, _quoted(str(path)))
    return text.replace("@OPTIONS@", "".join(f" {_quoted(option)}" for option in options))


def _program() -> str:
    """Return the program as it was called: an upgrade may put another one behind the same name."""
    called = Path(sys.argv[0])
    if called.name == "plumber-agent" and called.is_file():
        return str(called.absolute())
    beside = shutil.which("plumber-agent", path=str(Path(sys.executable).parent))
    return beside or shutil.which("plumber-agent") or "plumber-agent"


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if escaped.isprintable() and " " not in escaped else f'"{escaped}"'
