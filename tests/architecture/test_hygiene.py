"""What no file of the repository may contain, and what no test may do."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_TESTS = _ROOT / "tests"
_HERE = Path(__file__).resolve()

# Split, so that this file passes its own test.
_FORBIDDEN = {
    "a registry's address": "|".join(
        ["pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs", "npmmirror"]
    ),
    "an index option in a lock": r"(?m)^(--|# *uv pip compile.*--)(extra-)?index-url",
    "a folder that only one machine has": r"\.\./" + "shared",
    "a merge conflict": r"(?m)^<{7} ",
}
_LOCKS_WITH_ADDRESSES = ("uv.lock", "pylock*.toml")

# Where a sleep is right, with its reason. The rest waits on a signal: support.waiting.
_MAY_SLEEP = {
    "tests/support/waiting.py": "the one place that polls",
}


def _files() -> list[Path]:
    """Return the files that are, or would be, in the repository."""
    if shutil.which("git") is None or not (_ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=_ROOT, capture_output=True, check=True, text=True).stdout
    paths = [_ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and path.resolve() != _HERE]


def _text(path: Path) -> str:
    """Return the text of a file; nothing for a picture."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("what", _FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    pattern = re.compile(_FORBIDDEN[what])
    found = [f"{path.relative_to(_ROOT)}: {hit[0]!r}" for path in _files() if (hit := pattern.search(_text(path)))]
    assert found == []


def test_no_file_names_this_checkout() -> None:
    if len(_ROOT.parts) < 3:
        pytest.skip("the name of this folder is too short to search for")
    assert [str(path.relative_to(_ROOT)) for path in _files() if f"{_ROOT}/" in _text(path)] == []


def test_no_lock_that_carries_addresses() -> None:
    assert [path for path in _files() if any(map(path.match, _LOCKS_WITH_ADDRESSES))] == []


def _is_yield(call: ast.Call) -> bool:
    """``sleep(0)`` waits for nothing: it lets other tasks run."""
    return len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def _sleeps(path: Path) -> list[str]:
    calls = [
        node.func
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and not _is_yield(node)
    ]
    names = [(call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", ""), call.lineno) for call in calls]
    return [f"{path.relative_to(_ROOT)}:{line}" for name, line in names if name == "sleep"]


def test_tests_wait_on_signals() -> None:
    sleeping = [where for path in _TESTS.rglob("*.py") for where in _sleeps(path)]
    assert [where for where in sleeping if where.partition(":")[0] not in _MAY_SLEEP] == []


def test_every_reason_to_sleep_is_used() -> None:
    assert [name for name in _MAY_SLEEP if not _sleeps(_ROOT / name)] == []


def test_every_test_is_collected() -> None:
    """A test in a file or function of another name would never run and never fail."""
    stray = [path for path in _TESTS.rglob("*.py") if _has_tests(path) and not path.name.startswith("test_")]
    assert stray == []


def test_test_files_have_names_of_their_own() -> None:
    names = [path.name for path in _TESTS.rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def _has_tests(path: Path) -> bool:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(isinstance(n, functions) and n.name.startswith("test_") for n in ast.parse(path.read_text()).body)
