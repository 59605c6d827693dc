"""``${{ secrets.NAME }}`` under ``with``: filled in where the step runs, so the control plane only says where.

What an agent gets is the parameters with stars, and for each text that holds secrets its place and its parts. Nothing
that parameters or outputs bring can be taken for such a part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from plumber_core.model.secret_refs import STARS
from plumber_core.planning.expressions import Expression, evaluate
from plumber_core.planning.templates import Template, as_text, has_expression, parse_template, render

ROOT = "secrets"
_ALONE = re.compile(r"secrets\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)", re.ASCII)


def secret_of(expression: Expression) -> str | None:
    """Return the secret that an expression is, and nothing but."""
    found = _ALONE.fullmatch(expression.source)
    return found.group(1) if found else None


def render_hidden(value: Any, variables: Mapping[str, Any]) -> tuple[Any, list[Any]]:
    """Return a JSON value rendered, with stars for secrets, and the texts that hold some: ``[path, parts]`` each.

    A part is text, or ``{"secret": NAME}``.

    Raises: EvaluationError.
    """
    hidden: list[Any] = []

    def text_at(path: list[Any], text: str) -> Any:
        template = parse_template(text) if has_expression(text) else (text,)
        if not any(isinstance(part, Expression) and ROOT in part.roots for part in template):
            return render(text, variables)
        parts = _parts(template, variables)
        hidden.append([path, parts])
        return "".join(part if isinstance(part, str) else STARS for part in parts)

    return _walked(value, [], text_at), hidden


def _parts(template: Template, variables: Mapping[str, Any]) -> list[Any]:
    return [part if isinstance(part, str) else _part(part, variables) for part in template]


def _part(expression: Expression, variables: Mapping[str, Any]) -> str | dict[str, str]:
    name = secret_of(expression)
    return as_text(evaluate(expression, variables)) if name is None else {"secret": name}


def _walked(value: Any, path: list[Any], text_at: Callable[[list[Any], str], Any]) -> Any:
    if isinstance(value, str):
        return text_at(path, value)
    if isinstance(value, dict):
        return {key: _walked(item, [*path, key], text_at) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walked(item, [*path, index], text_at) for index, item in enumerate(value)]
    return value
