"""A page's console: its commands run in order in one folder, and what they print is compared with the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support import quick_cli
from support.processes import PROGRAMS, Processes
from support.waiting import wait_until_sync

PORT = 52281
"""The port that pages speak of; the console uses a free one instead."""
_LEFT_OUT = "..."
_LIMIT = 60
_NORMAL = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(-\d+-\d+-\d+-\d+-[0-9a-f]{8})?\b", "ID"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\bplm_[a-z]+_[\w-]{43}", "TOKEN"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?", "TIME"),
    (r"\b\d+(\.\d+)? (ms|s|m|h)\b( \d+ (s|m)\b)?", "DURATION"),
    (r"\bProcess \d+", "Process PID"),
    (r"\b\d+\.\d+\.\d+\b", "VERSION"),
    (r"[─━]+", "─"),
    (r"\s+", " "),
)
# Runs a command where the last one left folder, variables and exit code, and leaves its own.
_STEP = """
set -a
[ -e "$STATE/variables" ] && . "$STATE/variables"
[ -e "$STATE/folder" ] && cd "$(cat "$STATE/folder")"
_left() { code=$?; export -p >"$STATE/variables"; pwd >"$STATE/folder"; exit $code; }
trap _left EXIT
(exit "$1")
"""


def normal(text: str) -> list[str]:
    """Return lines without what differs from run to run: ids, times, tokens, the width of tables."""
    lines = []
    for line in text.splitlines():
        for pattern, replacement in _NORMAL:
            line = re.sub(pattern, replacement, line)
        line = line.strip()
        is_heading_again = line.startswith("─ ") and line in lines
        if line and not is_heading_again:
            lines.append(line)
    return lines


def missing_lines(expected: str, printed: str) -> list[str]:
    """Return how the printed lines differ from the expected ones.

    Hosts print at the same time, so the order of lines is free. ``...`` stands for any number of lines.
    """
    wanted, found = Counter(normal(expected)), Counter(normal(printed))
    left_out = wanted.pop(_LEFT_OUT, 0)
    differences = [f"- {line}" for line in (wanted - found).elements()]
    if not left_out:
        differences += [f"+ {line}" for line in (found - wanted).elements()]
    return differences


@dataclass(frozen=True)
class Command:
    """One command of a console block with what it should print."""

    text: str
    expected: str


def commands(block: str) -> Iterator[Command]:
    """Yield the commands of a block: lines after ``$``, continued by lines after ``>``."""
    for part in re.split(r"(?m)^\$ ", block)[1:]:
        lines = part.splitlines()
        count = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
        text = "\n".join([lines[0], *(line[2:] for line in lines[1:count])])
        yield Command(text, "\n".join(lines[count:]))


def quick_programs(folder: Path, processes: Processes) -> Path:
    """Return a folder with a quick ``plumber``; see ``quick_cli``."""
    address, made = folder / "socket", folder / "programs"
    processes.start("quick-cli", [sys.executable, "-P", quick_cli.__file__, "--serve", address])
    wait_until_sync(address.exists, 30, "the command line to be imported")
    made.mkdir()
    for name in ("plumber", "plumber-cli"):
        script = f'#!/bin/sh\nexec {sys.executable} -I -S {quick_cli.__file__} {address} "$@"\n'
        (made / name).write_text(script)
        (made / name).chmod(0o755)
    return made


@dataclass
class Console:
    """Runs the commands of one page."""

    folder: Path
    processes: Processes
    port: int
    programs: tuple[Path, ...] = ()
    """Folders of programs that stand in front of those that are installed."""
    environment: dict[str, str] = field(default_factory=dict)
    code: int = 0

    def __post_init__(self) -> None:
        state = self.folder.with_name(f"{self.folder.name}-state")
        state.mkdir()
        self.environment = {
            "PATH": os.pathsep.join([*map(str, self.programs), str(PROGRAMS), os.environ.get("PATH", os.defpath)]),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PLUMBER_CONFIG_DIR": str(state),
            "SERVER_PORT": str(self.port),
            "STATE": str(state),
            "TZ": "UTC",
            "XDG_STATE_HOME": str(self.folder / "state"),
            **self.environment,
        }

    def here(self, text: str) -> str:
        """Return a page's text with the port that is used here."""
        return text.replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{self.port}")

    def run(self, command: Command) -> list[str]:
        """Run a command; return how its output differs from the expected one."""
        result = subprocess.run(
            ["bash", "-c", f"{_STEP}\n{self.here(command.text)}", "page", str(self.code)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        self.code = result.returncode
        return missing_lines(command.expected, self._there(result.stdout))

    def start(self, command: Command, until: str) -> list[str]:
        """Start a program that goes on, and wait until it has printed ``until``."""
        name = f"background-{len(list(self.processes.logs()))}"
        script = f"cd {self.folder} && {self.here(command.text)}"
        process = self.processes.start(name, ["bash", "-c", script], **self.environment)
        wait_until_sync(
            lambda: until in process.output() or process.exit_code is not None, _LIMIT, f"it to print {until}"
        )
        return missing_lines(command.expected, self._there(process.output()))

    def _there(self, output: str) -> str:
        return output.replace(f"127.0.0.1:{self.port}", f"127.0.0.1:{PORT}").replace(str(self.folder), "/home/you")
