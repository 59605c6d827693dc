"""``when``: whether a step runs on a host. CEL, the language of ``${{ }}``, with functions that tell how it went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plumber_core.errors import InvalidRequest
from plumber_core.model.plan import Plan
from plumber_core.planning.expressions import (
    OPENING,
    EvaluationError,
    Expression,
    ExpressionError,
    compile_expression,
    end_of,
    evaluate,
)
from plumber_core.planning.render import Outputs, explain, variables_at
from plumber_core.planning.templates import as_text
from plumber_core.reasons import because

STATUS = frozenset({"success", "failed", "always"})
AFTER_FAILURE = frozenset({"failed", "always"})
"""Who asks for these wants to be asked although something has failed."""


@dataclass(frozen=True, slots=True)
class Status:
    """How it went with what a step waited for: neither after a cancel."""

    success: bool = True
    failed: bool = False

    @property
    def functions(self) -> dict[str, Callable[[], bool]]:
        """What a condition may call."""
        return {"success": lambda: self.success, "failed": lambda: self.failed, "always": lambda: True}


def parse_condition(text: str) -> Expression:
    """Return a condition, which may stand in ``${{ }}`` or without.

    Raises: ExpressionError.
    """
    text = text.strip()
    if not text.startswith(OPENING):
        return compile_expression(text, STATUS)
    end = end_of(text, len(OPENING))
    if end is None:
        raise ExpressionError("unclosed_expression", expected="}}")
    if text[end + 2 :].strip():
        raise ExpressionError("bad_expression", reason=because("when_whole"))
    return compile_expression(text[len(OPENING) : end], STATUS)


def asks_after_failure(text: str | None) -> bool:
    """Say whether a condition wants to be asked although something has failed."""
    return text is not None and not AFTER_FAILURE.isdisjoint(parse_condition(text).calls)


def calls_status(text: str | None) -> bool:
    """Say whether a condition asks how it went so far."""
    return text is not None and bool(parse_condition(text).calls)


def failing(plan: Plan, step: int, host: str, outputs: Outputs, status: Status) -> str | None:
    """Return the condition for which a step does not run on a host; None if it runs.

    Raises: InvalidRequest (a condition has no value there, or none that is true or false).
    """
    planned = plan.steps[step]
    variables: Mapping[str, Any] = variables_at(plan, planned, host, outputs) if planned.when else {}
    for text in planned.when:
        expression = parse_condition(text)
        try:
            value = evaluate(expression, variables, status.functions)
        except EvaluationError as error:
            reason: str = explain(error, expression.outputs, plan, host, outputs)
            raise InvalidRequest(field=f"steps.{planned.name}.when", reason=reason, step=planned.name) from None
        if not isinstance(value, bool):
            reason = because("when_no_switch", value=as_text(value)[:80])
            raise InvalidRequest(field=f"steps.{planned.name}.when", reason=reason, step=planned.name)
        if not value:
            return text
    return None
