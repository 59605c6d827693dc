"""Text with expressions in it, such as ``https://${{ agent.name }}/health``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from plumber_core.planning.expressions import (
    MAX_LENGTH,
    OPENING,
    EvaluationError,
    Expression,
    ExpressionError,
    compile_expression,
    end_of,
    evaluate,
)
from plumber_core.reasons import because

Template = tuple[str | Expression, ...]


def has_expression(text: str) -> bool:
    """Say whether ``text`` is more than plain text."""
    return OPENING in text


def parse_template(text: str) -> Template:
    """Return the parts of ``text``, in order.

    Raises: ExpressionError.
    """
    parts: list[str | Expression] = []
    position = 0
    while (start := text.find(OPENING, position)) >= 0:
        inside = start + len(OPENING)
        end = end_of(text, inside)
        if end is None:
            if len(text) - inside > MAX_LENGTH:
                raise ExpressionError("expression_too_large", limit=MAX_LENGTH, unit=because("unit_characters"))
            raise ExpressionError("unclosed_expression", expected="}}")
        if start > position:
            parts.append(text[position:start])
        parts.append(compile_expression(text[inside:end]))
        position = end + 2
    if position < len(text) or not parts:
        parts.append(text[position:])
    return tuple(parts)


def expressions_in(value: Any) -> Iterator[Expression]:
    """Yield every expression in a JSON value.

    Raises: ExpressionError.
    """
    for text in texts_in(value):
        yield from (part for part in parse_template(text) if isinstance(part, Expression))


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value that holds an expression."""
    if isinstance(value, str):
        if has_expression(value):
            yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts_in(item)


def render(value: Any, variables: Mapping[str, Any]) -> Any:
    """Return a JSON value with its expressions replaced; one that stands alone keeps the type of its value.

    Raises: EvaluationError.
    """
    if isinstance(value, str):
        return _render_text(value, variables) if has_expression(value) else value
    if isinstance(value, dict):
        return {key: render(item, variables) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [render(item, variables) for item in value]
    return value


def _render_text(text: str, variables: Mapping[str, Any]) -> Any:
    parts = parse_template(text)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return evaluate(parts[0], variables)
    return "".join(as_text(evaluate(part, variables)) if isinstance(part, Expression) else part for part in parts)


def render_text(text: str, variables: Mapping[str, Any]) -> str:
    """Return ``text`` with its expressions replaced, as text that an environment can carry.

    Raises: EvaluationError.
    """
    rendered = as_text(render(text, variables))
    if "\x00" in rendered:
        raise EvaluationError("the value holds a NUL character")
    return rendered


def as_text(value: Any) -> str:
    """Return a JSON value as environments and sentences carry it.

    Switches are ``true`` and ``false``, nothing is empty, a list has one entry a line, a mapping is JSON.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "\n".join(as_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
