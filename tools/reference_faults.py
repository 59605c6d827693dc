"""The generated table of faults: every row, the tests that prove it, and what their last ``make faults`` said."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from reference_markdown import table

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "tests" / "faults" / "rows.toml"
CHAOS = ROOT / "tests" / "chaos" / "results.jsonl"
RESULTS = ROOT / "tests" / "faults" / "results.json"
DECISIONS = ROOT / "docs" / "decisions.md"
MOST_EXCUSED = 10
_EXCUSE = re.compile(r"^- Row (\d+): (.+)$", re.MULTILINE)
_MARK = re.compile(r"mark\.row\(([\d, ]+)\)")
NOT_RUN, NO_TEST = "has a test, not in the last run", "no test yet"


class Row(NamedTuple):
    """One row; ``later`` says what it waits for, or is empty."""

    number: int
    group: str
    fault: str
    follows: str
    later: str = ""


def read_rows() -> list[Row]:
    """Return the rows in order."""
    groups = tomllib.loads(ROWS.read_text())
    found = [Row(int(number), group, *texts) for group, rows in groups.items() for number, texts in rows.items()]
    return sorted(found)


def read_results() -> dict[str, dict[str, Any]]:
    """Return the last result of each test, by the test's id."""
    results: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text())
    return results


@functools.cache
def tested() -> frozenset[int]:
    """Return the rows that any test names."""
    sources = [file.read_text() for file in sorted((ROOT / "tests").rglob("test_*.py"))]
    return frozenset(int(row) for text in sources for found in _MARK.findall(text) for row in found.split(","))


def excused(text: str) -> dict[int, str]:
    """Return the rows that ``docs/decisions.md`` excuses, each with its reason.

    Raises: ValueError (too many).
    """
    found = {int(row): reason for row, reason in _EXCUSE.findall(text)}
    if len(found) > MOST_EXCUSED:
        raise ValueError(f"{len(found)} rows are excused, at most {MOST_EXCUSED} may be")
    return found


def faults() -> str:
    """Return the table."""
    results = read_results()
    return table(
        ("row", "what happens", "what follows", "tests", "last run"),
        [
            (str(row.number), row.fault, row.follows, _tests(row, results), _verdict(row, results))
            for row in read_rows()
        ],
    )


def _of(row: Row, results: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: result for name, result in results.items() if row.number in result["rows"]}


def _tests(row: Row, results: dict[str, dict[str, Any]]) -> str:
    return "<br>".join(_link(name) for name in sorted(_of(row, results)))


def _link(name: str) -> str:
    file, _, function = name.partition("::")
    words = function.rpartition("::")[2] or function
    return f"[{words.removeprefix('test_').replace('_', ' ')}](../../{file})"


def _verdict(row: Row, results: dict[str, dict[str, Any]]) -> str:
    mine = _of(row, results).values()
    excuse = excused(DECISIONS.read_text()).get(row.number)
    if excuse is not None and all(result["result"] == "skipped" for result in mine):
        return f"excused: {excuse}"
    if not mine:
        return f"comes with {row.later}" if row.later else NOT_RUN if row.number in tested() else NO_TEST
    if any(result["result"] == "failed" for result in mine):
        return "**failed**"
    skipped = sorted({f"skipped: {result['reason']}" for result in mine if result["result"] == "skipped"})
    return "<br>".join(skipped) or "passed"


def chaos() -> str:
    """Return the runs of ``make chaos``, the newest last."""
    runs = [json.loads(line) for line in CHAOS.read_text().splitlines()] if CHAOS.exists() else []
    return table(
        ("seed", "steps", "commands", "blows", "minutes", "ends", "broken promises"),
        [_chaos_row(run) for run in runs],
    )


def _chaos_row(run: dict[str, Any]) -> tuple[str, ...]:
    minutes = run["seconds under the killer"] / 60
    blows = ", ".join(f"{count} {kind}" for kind, count in run["blows"].items())
    ends = ", ".join(f"{count} {state}" for state, count in run["ends"].items())
    total = sum(run["blows"].values())
    return (
        str(run["seed"]),
        f"{run['steps']:,}",
        f"{run['commands run']:,}",
        f"{total}: {blows}",
        f"{minutes:.1f}",
        ends,
        str(run["violations"]),
    )


def summary() -> str:
    """Return how many rows have passed, in one sentence."""
    results = read_results()
    verdicts = [_verdict(row, results) for row in read_rows()]
    later = sum(verdict.startswith("comes with") for verdict in verdicts)
    excuses = sum(verdict.startswith("excused: ") for verdict in verdicts)
    passed, missed, untested = (verdicts.count(verdict) for verdict in ("passed", NOT_RUN, NO_TEST))
    rest = len(verdicts) - later - excuses - passed - missed - untested
    return (
        f"{len(verdicts)} rows; {later} wait for what they test. Of the other {len(verdicts) - later}, {passed} passed "
        f"in the last run, {rest} failed or were skipped, {missed} have tests that it left out, {untested} have no "
        f"test yet, and {excuses} are excused."
    )
