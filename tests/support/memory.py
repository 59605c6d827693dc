"""How much memory programs take while something happens."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Self

import psutil

MB = 1024 * 1024
_INTERVAL = 0.02


class Watched:
    """Samples the resident memory of processes from entering to leaving; ``growth`` is the most above the start."""

    def __init__(self, *pids: int) -> None:
        self._programs = {pid: psutil.Process(pid) for pid in pids}
        self._start = {pid: resident(pid) for pid in pids}
        self._most = dict(self._start)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(_INTERVAL):
            for pid, program in self._programs.items():
                self._most[pid] = max(self._most[pid], program.memory_info().rss)

    def growth(self, pid: int) -> float:
        """Return in MB how far a process grew at most."""
        return (self._most[pid] - self._start[pid]) / MB


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(psutil.Process(pid).memory_info().rss)


def supervisor_of(processes: Iterable[psutil.Process]) -> psutil.Process:
    """Return the one among ``processes`` that owns an agent's commands."""
    [found] = [process for process in processes if any("supervisor" in part for part in process.cmdline())]
    return found
