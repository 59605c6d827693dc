"""Where expressions may stand, and what they may name there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from plumber_core.planning.blocks import Place, places
from plumber_core.planning.conditions import parse_condition
from plumber_core.planning.document import Path
from plumber_core.planning.expressions import OPENING, Expression, ExpressionError
from plumber_core.planning.problems import Report, nearest
from plumber_core.planning.rules_needs import ancestors
from plumber_core.planning.rules_secrets import check_reference
from plumber_core.planning.templates import expressions_in

_ENDING = ("step", "inner", "always")
"""What has outputs that others may read."""
_SHELLS = ("shell", "script")
_COMMANDS = ("run", "script", "command", "cmd", "content", "shell")
_PARAMETER = re.compile(r"\$\{\{\s*params\.([A-Za-z_]\w*)\s*\}\}", re.ASCII)
_EXPRESSION = re.compile(r"\$\{\{[^{}]{0,200}\}\}")


def check_expressions(task: dict[str, Any], report: Report) -> None:
    """Report expressions in places that cannot have them, and references to what does not exist there."""
    _Checker(task, report).check()


class _Checker:
    def __init__(self, task: dict[str, Any], report: Report) -> None:
        params = task.get("params")
        self._task = task
        self._report = report
        self._places = list(places(task))
        self._params = params if isinstance(params, dict) else {}
        self._ancestors = ancestors(self._places)
        named = [(index, place.step.get("name")) for index, place in enumerate(self._places) if place.kind in _ENDING]
        self._order = {name: index for index, name in reversed(named) if isinstance(name, str)}

    def check(self) -> None:
        for key in ("env", "path"):
            self._allow((key,), self._task.get(key), ("params", "agent"))
        for key in ("on", "locks"):
            self._allow((key,), self._task.get(key), ("params",))
        concurrency = self._task.get("concurrency")
        if isinstance(concurrency, dict):
            self._allow(("concurrency", "key"), concurrency.get("key"), ("params",))
        self._refuse((), self._task, ("name",))
        for index, place in enumerate(self._places):
            self._step(index, place)

    def _step(self, index: int, place: Place) -> None:
        path, step = place.path, place.step
        for key in ("env", "path"):
            self._allow((*path, key), step.get(key), ("params", "agent", "steps"), index)
        self._allow((*path, "with"), step.get("with"), ("params", "agent", "steps", "secrets"), index)
        for key in ("on", "locks"):
            self._allow((*path, key), step.get(key), ("params",))
        self._condition(path, step.get("when"), index)
        self._refuse(path, step, ("name", "uses", "shell", "stdin", "needs", "secrets"))
        self._refuse((*path, "rollout"), place.rollout or {}, ("batches", "max_failures", "pause", "order"))
        self._command((*path, "run"), step.get("run"))
        parameters = step.get("with")
        if step.get("uses") in _SHELLS and isinstance(parameters, dict):
            for key in _COMMANDS:
                self._command((*path, "with", key), parameters.get(key))

    def _refuse(self, path: Path, mapping: dict[str, Any], keys: tuple[str, ...]) -> None:
        for key in keys:
            if OPENING in str(mapping.get(key, "")):
                self._report.add("expression_not_allowed", (*path, key), key=key)

    def _command(self, path: Path, text: Any) -> None:
        if not isinstance(text, str) or OPENING not in text:
            return
        if match := _PARAMETER.search(text):
            self._report.add("parameter_in_command", path, name=match.group(1))
        else:
            found = _EXPRESSION.search(text)
            shown = found.group() if found else OPENING + " ... }}"
            self._report.add("expression_in_command", path, expression=shown)

    def _allow(self, path: Path, value: Any, roots: tuple[str, ...], step: int | None = None) -> None:
        for place, text in _texts(path, value):
            try:
                for expression in expressions_in(text):
                    self._references(place, expression, roots, step)
            except ExpressionError as error:
                self._report.add(error.code, place, **_arguments(error))

    def _condition(self, path: Path, text: Any, index: int) -> None:
        if not isinstance(text, str):
            return
        place = (*path, "when")
        try:
            expression = parse_condition(text)
        except ExpressionError as error:
            self._report.add(error.code, place, **_arguments(error))
            return
        self._references(place, expression, ("params", "agent", "steps"), index)
        for name in sorted(expression.calls) if self._places[index].kind == "inner" else ():
            self._report.add("status_inside", place, name=name)

    def _references(self, path: Path, expression: Expression, roots: tuple[str, ...], step: int | None) -> None:
        for root in sorted(expression.roots - set(roots)):
            self._report.add("not_here", path, expected=" and ".join(roots), name=root)
        if step is not None and "secrets" in roots:
            check_reference(self._places[step].step, path, expression, self._report)
        for name in sorted(expression.params - self._params.keys()):
            self._report.add("unknown_parameter", path, nearest=nearest(name, self._params), name=name)
        for name in sorted(expression.steps) if step is not None else ():
            self._reference(path, name, step or 0)

    def _reference(self, path: Path, name: str, step: int) -> None:
        if name not in self._order:
            earlier = [known for known, index in self._order.items() if index < step]
            self._report.add("unknown_step", path, nearest=nearest(name, earlier), name=name)
        elif self._ancestors is not None and self._places[step].kind != "always":
            self._branch(path, name, step)
        elif self._order[name] >= step:
            self._report.add("circular_reference", path, step=self._places[step].label, name=name)

    def _branch(self, path: Path, name: str, step: int) -> None:
        """In a graph only what ends before is known: what is needed, and what stands before in the same block."""
        here, there = self._outer(step), self._outer(self._order[name])
        same = here == there and self._order[name] < step and here != self._places[step].step.get("name")
        if not same and there not in (self._ancestors or {}).get(here, frozenset()):
            self._report.add("beside_reference", path, step=self._places[step].label, name=name)

    def _outer(self, index: int) -> str:
        """Return the name of the step outside of blocks to which one belongs."""
        path = self._places[index].path[:2]
        return next((str(one.step.get("name")) for one in self._places if one.path == path), "")


def _texts(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    """Yield every text that may hold an expression, with its place."""
    if isinstance(value, str):
        if OPENING in value:
            yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts((*path, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts((*path, index), item)


def _arguments(error: ExpressionError) -> dict[str, Any]:
    known = error.arguments.get("known")
    guess = nearest(str(error.arguments.get("name")), known) if known else None
    rest = {key: value for key, value in error.arguments.items() if key != "known"}
    return {"nearest": guess, **rest}
