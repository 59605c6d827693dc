"""Collects what was measured: JSON lines for programs, a table for people."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.stats import median, percentile


@dataclass
class Row:
    """One line of the table; ``budget`` is what ``ratio`` (or, without one, ``value``) should keep to."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    budget: float | None = None
    at_least: bool = False
    remark: str = ""

    def kept(self) -> str:
        """Say whether the budget is kept."""
        if self.budget is None:
            return ""
        measured = self.value if self.ratio is None else self.ratio
        good = measured >= self.budget if self.at_least else measured <= self.budget
        return "yes" if good else "NO"


@dataclass
class Report:
    """Everything of one run. ``rounds`` holds seconds by (system, metric), one list a round."""

    path: Path
    rounds: dict[tuple[str, str], list[Sequence[float]]] = field(default_factory=lambda: defaultdict(list))
    rows: list[Row] = field(default_factory=list)

    def line(self, **values: Any) -> None:
        """Write a JSON line."""
        with self.path.open("a") as file:
            file.write(json.dumps(values) + "\n")

    def say(self, text: str) -> None:
        """Tell the person who waits what happens now."""
        sys.stderr.write(f"{text}\n")

    def round(self, system: str, metric: str, number: int, times: Sequence[float]) -> None:
        """Take one round's seconds."""
        self.rounds[system, metric].append(times)
        shown = {f"p{p}": round(percentile(times, p) * 1e3, 3) for p in (50, 95, 99)}
        self.line(system=system, metric=metric, round=number, unit="ms", n=len(times), **shown)

    def middle(self, system: str, metric: str, percent: float = 50) -> float:
        """Return the median over the rounds of one percentile, in milliseconds."""
        return median([percentile(times, percent) for times in self.rounds[system, metric]]) * 1e3

    def row(self, row: Row) -> None:
        """Take a line of the table."""
        self.rows.append(row)
        shown = {name: value for name, value in vars(row).items() if value not in (None, "", False)}
        self.line(**shown, **({"kept": row.kept()} if row.kept() else {}))

    def table(self) -> str:
        """Return the table as Markdown."""
        head = ["what", "measured", "ratio", "budget", "kept", "remark"]
        lines = [" | ".join(head), " | ".join("---" for _ in head)]
        lines += [" | ".join(_cells(row)) for row in self.rows]
        return "".join(f"| {line} |\n" for line in lines)


def _cells(row: Row) -> list[str]:
    sign = ">=" if row.at_least else "<="
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    budget = "" if row.budget is None else f"{sign} {row.budget:g}"
    return [row.what, f"{row.value:.3g} {row.unit}", ratio, budget, row.kept(), row.remark]
