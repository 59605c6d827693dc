"""Which rows of the fault table (``tests/faults/rows.toml``) each test proves, and what became of it.

``@pytest.mark.row(7, 9)`` names a test's rows and makes it one of ``faults``. Those in ``tests/faults`` and
``tests/chaos`` run in ``make test`` only when they are ``quick``, those elsewhere always. ``--fault-results FILE``
keeps what became of each test in its last run; ``tools/reference_faults.py`` makes the table of the docs from it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

_GRAVITY = {"skipped": 0, "passed": 1, "failed": 2}
_heard: dict[str, dict[str, Any]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-results", type=Path, default=None, help="merge the results of fault tests into this file")


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "faults: proves a row of the fault table; given to every test that names one",
        "quick: a fault test that `make test` runs too",
        "row(number, ...): the rows of the fault table that a test proves",
    ):
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        rows = sorted({row for marker in item.iter_markers("row") for row in marker.args})
        may_be_slow = item.nodeid.startswith(("tests/faults/", "tests/chaos/"))
        if item.nodeid.startswith("tests/faults/") and not rows:
            raise pytest.UsageError(f"{item.nodeid} names no row of the fault table: @pytest.mark.row(number)")
        if rows:
            item.add_marker("faults")
            item.user_properties.append(("rows", rows))
            if not may_be_slow:
                item.add_marker("quick")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # Only the controller writes: it hears of every worker's tests.
    if (rows := dict(report.user_properties).get("rows")) is not None:
        _note(report, list(rows))


def _note(report: pytest.TestReport, rows: list[int]) -> None:
    if report.passed and report.when != "call":
        return
    name = report.nodeid.partition("[")[0]
    new: dict[str, Any] = {"rows": rows, "result": report.outcome}
    if report.skipped and isinstance(report.longrepr, tuple):
        new["reason"] = report.longrepr[2].removeprefix("Skipped: ")
    old = _heard.get(name)
    if old is None or _GRAVITY[new["result"]] > _GRAVITY[old["result"]]:
        _heard[name] = new


def pytest_sessionfinish(session: pytest.Session) -> None:
    path: Path | None = session.config.getoption("--fault-results")
    if path is None or hasattr(session.config, "workerinput"):
        return
    known = json.loads(path.read_text()) if path.exists() else {}
    merged = {name: result for name, result in {**known, **_heard}.items() if _exists(session.config.rootpath, name)}
    path.write_text(dump(merged))


def dump(results: dict[str, Any]) -> str:
    """Return results as JSON, one test a line, so that those of two branches can be merged."""
    lines = [f"{json.dumps(name)}: {json.dumps(results[name])}" for name in sorted(results)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _exists(root: Path, name: str) -> bool:
    """Say whether a test is still there: results of removed ones are forgotten."""
    file, _, rest = name.partition("::")
    path = root / file
    return path.exists() and f"def {rest.rpartition('::')[2] or rest}(" in path.read_text()
