"""The systemd unit of an agent."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

UNIT = Path(__file__).with_name("plumber-agent.service")


def unit_text(config: Path, workdir: Path) -> str:
    """Return the unit for this installation."""
    program = shutil.which("plumber-agent", path=str(Path(sys.executable).parent)) or shutil.which("plumber-agent")
    paths = {"@AGENT@": program or "plumber-agent", "@CONFIG@": config.resolve(), "@WORKDIR@": workdir.resolve()}
    text = UNIT.read_text().partition("\n")[2]
    for mark, path in paths.items():
        text = text.replace(mark, _quoted(str(path)))
    return text


def _quoted(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if escaped.isprintable() and " " not in escaped else f'"{escaped}"'
