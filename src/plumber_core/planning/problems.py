"""Collecting what is wrong with a task file, each thing at its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from plumber_core.errors import ValidationFailed
from plumber_core.model.problems import Problem
from plumber_core.model.sentences import SENTENCES, SUGGESTION
from plumber_core.planning.document import Node, Path, Position, locate, show
from plumber_core.reasons import Because, coded

MAX_PROBLEMS = 200
"""More help nobody; a hostile file must not make a huge answer."""


class SourceError(Exception):
    """The source cannot be read further than this problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant, or None."""
    candidates = list(known)
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in candidates}
    matches = difflib.get_close_matches(name.lower().replace("-", "_")[:80], list(folded), n=1, cutoff=0.6)
    return folded[matches[0]] if matches else None


def make(
    code: str,
    path: Path = (),
    position: Position = (0, 0),
    *,
    expected: str = "",
    nearest: str | None = None,
    **arguments: Any,
) -> Problem:
    """Return a problem with its English sentence."""
    texts = {key: str(value)[:300] for key, value in arguments.items()}
    given = {"expected": expected, **arguments}
    message = SENTENCES[code].format(**{"expected": expected} | texts)
    if nearest:
        message = f"{message} {SUGGESTION.format(nearest=nearest)}"
    return Problem(
        code=code,
        path=show(path),
        line=position[0],
        column=position[1],
        message=message,
        expected=expected,
        nearest=nearest,
        arguments=texts,
        phrases={key: coded(value) for key, value in given.items() if isinstance(value, Because)},
    )


def fatal(code: str, position: Position = (0, 0), **arguments: Any) -> SourceError:
    """Return the error to raise when nothing after ``position`` can be understood."""
    return SourceError(make(code, (), position, **arguments))


class Report:
    """All problems of one document."""

    def __init__(self, root: Node | None, problems: Iterable[Problem] = ()) -> None:
        self._root = root
        self._problems = list(problems)

    @property
    def is_placeless(self) -> bool:
        """Say whether there is no source: the values come from a program."""
        return self._root is None

    def add(self, code: str, path: Path, *, at_key: bool = False, **arguments: Any) -> None:
        """Note a problem at ``path``; ``at_key`` points to the key instead of the value."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(make(code, path, locate(self._root, path, at_key=at_key), **arguments))

    def line(self, path: Path) -> int:
        """Return the line on which ``path`` stands."""
        return locate(self._root, path)[0]

    def problems(self) -> list[Problem]:
        """Return each problem once, in the order of the source."""
        unique = {(problem.code, problem.path, problem.message): problem for problem in self._problems}
        return sorted(unique.values(), key=lambda problem: (problem.line, problem.column))


def failed(problems: list[Problem]) -> ValidationFailed:
    """Return the error that carries these problems."""
    return ValidationFailed(
        field="source", reason=problems[0].message, problems=[problem.model_dump() for problem in problems]
    )
