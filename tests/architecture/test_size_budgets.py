"""Nothing grows too large: one function, one file, one thought."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_FUNCTION_MOST, _FUNCTION_P90, _FUNCTION_MEDIAN = 60, 30, 10
_FILE_MOST, _FILE_MEDIAN = 400, 120

# A list of tables or hooks is read from top to bottom, whatever its length.
_MAY_BE_LONG = {"tables.py", "hookspecs.py"}
# Written by tools/generate_client.py.
_GENERATED = ("src/plumber_client/_*nouns.py", "src/plumber_client/_sync*.py")


def _sources(*folders: str) -> list[Path]:
    """Return all written files; an empty ``__init__.py`` would flatter the median."""
    found = [path for folder in folders for path in (_ROOT / folder).rglob("*.py")]
    return [path for path in found if path.stat().st_size and not any(map(path.match, _GENERATED))]


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield ``file:line name`` and the number of lines of each function, docstring included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            where = f"{path.relative_to(_ROOT)}:{node.lineno} {node.name}"
            yield where, node.end_lineno - node.lineno + 1


def _function_sizes(*folders: str) -> dict[str, int]:
    return {where: lines for path in _sources(*folders) for where, lines in _functions(path)}


def _file_sizes(*folders: str) -> dict[str, int]:
    sizes = {path: len(path.read_text().splitlines()) for path in _sources(*folders)}
    return {str(path.relative_to(_ROOT)): n for path, n in sizes.items() if path.name not in _MAY_BE_LONG}


def _over(sizes: dict[str, int], most: int) -> list[str]:
    return [f"{where}: {lines} lines" for where, lines in sizes.items() if lines > most]


def test_no_function_is_longer_than_a_screen() -> None:
    assert _over(_function_sizes("src", "tests", "tools", "bench", "examples"), _FUNCTION_MOST) == []


def test_no_file_is_longer_than_its_subject() -> None:
    assert _over(_file_sizes("src", "tests", "tools", "bench", "examples"), _FILE_MOST) == []


def test_most_functions_are_short() -> None:
    sizes = sorted(_function_sizes("src").values())
    assert statistics.median(sizes) <= _FUNCTION_MEDIAN
    assert statistics.quantiles(sizes, n=10)[-1] <= _FUNCTION_P90


def test_most_files_are_short() -> None:
    assert statistics.median(_file_sizes("src").values()) <= _FILE_MEDIAN
