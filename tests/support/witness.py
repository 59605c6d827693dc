"""Steps that leave witnesses of their runs in a file, whatever server and agent make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(slots=True)
class Run:
    """What one attempt's command has written down. Moments are microseconds since 1970; an end has its exit code."""

    begun: list[int] = field(default_factory=list)
    ended: list[tuple[int, int]] = field(default_factory=list)


class Witness:
    """The file and the steps that write to it.

    Every step prints ``lines`` lines, each with its attempt and number, then takes ``seconds`` and exits with ``code``.
    """

    def __init__(self, file: Path, lines: int = 5) -> None:
        self.file, self.lines = file, lines

    def step(self, code: int = 0, seconds: float = 0, **keys: Any) -> dict[str, Any]:
        """Return a step."""
        # sh finds arguments of a sourced file nowhere but in its own.
        run = f"set -- {self.file} {code} {self.lines} {seconds:g}; . {SCRIPT}"
        return {"run": run, **keys}

    def expected(self, attempt: str) -> bytes:
        """Return the whole standard output of an attempt."""
        return b"".join(f"{attempt} line {n}\n".encode() for n in range(1, self.lines + 1))

    def runs(self) -> dict[str, Run]:
        """Return what is written down, by attempt."""
        return read_runs(self.file.read_text().splitlines() if self.file.exists() else ())


def read_runs(lines: Iterable[str]) -> dict[str, Run]:
    """Read witnesses' lines."""
    runs: dict[str, Run] = {}
    for line in lines:
        attempt, what, nanoseconds, value = line.split()
        run = runs.setdefault(attempt, Run())
        moment = int(nanoseconds) // 1000
        if what == "begin":
            run.begun.append(moment)
        else:
            run.ended.append((moment, int(value)))
    return runs
