"""From a task file to a task: every problem at its line, or the task and its definition."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from plumber_core.errors import TooLarge
from plumber_core.model.problems import Problem
from plumber_core.model.task import Task
from plumber_core.model.views import SourceFormat
from plumber_core.planning import legacy_toml
from plumber_core.planning.document import Node
from plumber_core.planning.keys import check_keys
from plumber_core.planning.problems import Report, failed, make
from plumber_core.planning.rules import check_rules
from plumber_core.planning.rules_executors import Kinds, check_executors
from plumber_core.planning.rules_expressions import check_expressions
from plumber_core.planning.rules_notify import check_channels
from plumber_core.planning.rules_parameters import check_parameters
from plumber_core.planning.shape import normalise, read_task
from plumber_core.planning.source import Document, read


@dataclass(frozen=True)
class ParsedTask:
    """``definition`` are the task's JSON values, defaults left out; ``format`` the language it was written in."""

    task: Task
    definition: dict[str, Any]
    format: SourceFormat = "yaml"


def parse_task(
    source: str | bytes,
    format: SourceFormat = "auto",
    *,
    name: str | None = None,
    description: str = "",
    kinds: Kinds | None = None,
    channels: Collection[str] | None = None,
) -> ParsedTask:
    """Return the task in ``source``; with ``kinds`` and ``channels``, what it uses and whom it tells is checked too.

    ``name`` and ``description`` serve files that have none inside.

    Raises: ValidationFailed with all problems, TooLarge.
    """
    document = read(source, format)
    task, problems = _understand(document, name, description, kinds, channels)
    if problems or task is None:
        raise failed(problems)
    return ParsedTask(task, task.definition(), document.format)


def check_task(
    source: str | bytes,
    format: SourceFormat = "auto",
    *,
    name: str | None = None,
    kinds: Kinds | None = None,
    channels: Collection[str] | None = None,
) -> list[Problem]:
    """Return everything that is wrong with a task file, in the order of its lines; with ``kinds`` and ``channels``,
    also with what its steps use and whom it tells."""
    try:
        return _understand(read(source, format), name, "", kinds, channels)[1]
    except TooLarge as error:
        return [make("too_large", (), (1, 1), actual=error.arguments["actual"], limit=error.arguments["limit"])]


def task_from_definition(definition: dict[str, Any]) -> Task:
    """Return the task of a stored definition. Its form is checked; what its values mean together was, when saved.

    Raises: ValidationFailed.
    """
    try:
        return Task.from_definition(definition)
    except ValidationError:
        report = Report(None)
        check_keys(definition, report)
        read_task(definition, report)
        raise failed(report.problems()) from None


def check_definition(definition: dict[str, Any]) -> list[Problem]:
    """Return everything that is wrong with a definition that a program built (``Task(...).definition()``)."""
    report = Report(None)
    _check(definition, report)
    return report.problems()


def _understand(
    document: Document,
    name: str | None,
    description: str,
    kinds: Kinds | None,
    channels: Collection[str] | None,
) -> tuple[Task | None, list[Problem]]:
    root, report = document.root, Report(document.root, document.problems)
    if root is None:
        return None, report.problems()
    if not isinstance(root.value, dict):
        report.add("not_a_mapping", ())
        return None, report.problems()
    if document.format == "toml" and legacy_toml.is_original(root):
        task = _original(root, name, description, report)
    else:
        definition = _named(normalise(root), name, description)
        task = _check(definition, report)
        if kinds is not None:
            check_executors(definition, kinds, report)
        if channels is not None:
            check_channels(definition, channels, report)
    return task, report.problems()


def _named(definition: dict[str, Any], name: str | None, description: str) -> dict[str, Any]:
    given = {key: value for key, value in (("name", name), ("description", description)) if value}
    return given | definition


def _original(root: Node, name: str | None, description: str, report: Report) -> Task | None:
    definition = legacy_toml.translate(root, name, description, report)
    return None if report.problems() else read_task(definition, report)


def _check(definition: dict[str, Any], report: Report) -> Task | None:
    task = read_task(definition, report)
    original = definition.get("clean_environment") is False and report.is_placeless
    check_keys({key: definition[key] for key in definition if key != "clean_environment" or not original}, report)
    check_rules(definition, report)
    check_parameters(definition.get("params"), report)
    if not original:
        check_expressions(definition, report)
    return task
