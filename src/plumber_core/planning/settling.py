"""What of a step depends on parameters alone is filled in when its execution is planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plumber_core.errors import InvalidRequest
from plumber_core.model.plan import PlanStep
from plumber_core.planning.conditions import parse_condition
from plumber_core.planning.expressions import EvaluationError, Expression, ExpressionError
from plumber_core.planning.templates import expressions_in, has_expression, render, texts_in


class Settling:
    """Fills in what depends on parameters alone, so that the plan shows it; the rest waits for its host."""

    def __init__(self, parameters: Mapping[str, Any], *, expressions: bool) -> None:
        self.expressions = expressions
        self.reads_labels = False
        self._variables = {"params": dict(parameters)}

    def value(self, field: str, value: Any) -> Any:
        """Return a JSON value with everything settled that can be."""
        if not self.expressions:
            return value
        if isinstance(value, dict):
            return {key: self.value(field, item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(field, item) for item in value]
        return self._text(field, value) if isinstance(value, str) and has_expression(value) else value

    def _text(self, field: str, text: str) -> Any:
        try:
            if any(expression.roots - {"params"} for expression in expressions_in(text)):
                return text
            settled = render(text, self._variables)
        except ExpressionError as error:
            raise InvalidRequest(field=field, reason=error.code) from None
        except EvaluationError as error:
            raise InvalidRequest(field=field, reason=error.reason) from None
        # A value that looks like an expression must not become one: it is filled in at the very end instead.
        return text if any(texts_in(settled)) else settled

    def reads_agent(self, step: PlanStep) -> bool:
        """Say whether a step depends on the agent that runs it."""
        value = (step.env, step.path, None if step.uses == "shell" else step.params)
        found = (*expressions_in(value), *map(parse_condition, step.when)) if self.expressions else ()
        return any("agent" in expression.roots for expression in found)

    def reads(self, value: Any, when: Sequence[str] = ()) -> tuple[set[str], set[str]]:
        """Return the steps whose outputs a value and conditions read, and those of which they ask for other hosts';
        note whether they read labels."""
        found = [*expressions_in(value), *map(parse_condition, when)] if self.expressions else []
        self.reads_labels |= any(map(_reads_labels, found))
        return {name for one in found for name in one.steps}, {name for one in found for name in one.hosts}


def _reads_labels(expression: Expression) -> bool:
    return "agent" in expression.roots and "labels" in expression.source
