"""The program that measured steps run: its first act is to read the clock, its second to tell us."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path

_SOURCE = Path(__file__).with_name("stamp.c")
_SCRIPT = """#!/bin/sh
now=$(date +%s%N)
echo "$2 $now" > "$1"
"""
OVERDUE = 20.0


def build(folder: Path) -> tuple[Path, str]:
    """Make the stamp program in ``folder``; return it and what it was made of.

    A compiled one where there is a C compiler. A script else: it costs a shell and ``date`` on every side alike.
    """
    program = folder / "stamp"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler and subprocess.run([compiler, "-O2", "-o", program, _SOURCE], check=False).returncode == 0:
        return program, "C"
    program.write_text(_SCRIPT)
    program.chmod(0o755)
    return program, "sh"


class Stamps:
    """Receives stamps through a FIFO, so that waiting for one costs the machine nothing."""

    def __init__(self, folder: Path) -> None:
        self.program, self.kind = build(folder)
        self.fifo = folder / "stamps"
        os.mkfifo(self.fifo)
        self._fd = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        self._rest = b""
        self._waiting: dict[str, asyncio.Future[int]] = {}
        asyncio.get_running_loop().add_reader(self._fd, self._readable)

    def command(self, key: str) -> str:
        """Return the command line that stamps ``key``."""
        return f"{self.program} {self.fifo} {key}"

    def expect(self, key: str) -> asyncio.Future[int]:
        """Return what will be the moment of a stamp, in nanoseconds of the wall clock."""
        self._waiting[key] = asyncio.get_running_loop().create_future()
        return self._waiting[key]

    async def since(self, began: int, key: str, future: asyncio.Future[int]) -> float:
        """Wait for a stamp; return the seconds from ``began`` to it.

        Raises: TimeoutError.
        """
        try:
            async with asyncio.timeout(OVERDUE):
                return (await future - began) / 1e9
        finally:
            del self._waiting[key]

    def _readable(self) -> None:
        *lines, self._rest = (self._rest + os.read(self._fd, 65536)).split(b"\n")
        for line in lines:
            key, _, moment = line.decode().partition(" ")
            future = self._waiting.get(key)
            if future is not None and not future.done():
                future.set_result(int(moment))


def wall() -> int:
    """Return the moment as stamps count it."""
    return time.time_ns()
