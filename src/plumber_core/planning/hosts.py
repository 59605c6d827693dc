"""Which hosts a step gets: its target, with the parameters of this run filled in, over the fleet as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from plumber_core.errors import InvalidRequest, NobodyMatches
from plumber_core.model.agent import AgentRef
from plumber_core.planning.expressions import EvaluationError, Expression, evaluate
from plumber_core.planning.target_grammar import KEYWORDS
from plumber_core.planning.target_terms import Named, Target, Word
from plumber_core.planning.targets import named, parse_target, select
from plumber_core.planning.templates import has_expression, parse_template

_PLAIN = re.compile(r"[\w.:/@+%~-]+")
Names = tuple[Target, ...]


class Hosts:
    """Answers for one run; the same target is looked up once."""

    def __init__(self, agents: Sequence[AgentRef], parameters: Mapping[str, Any], *, expressions: bool) -> None:
        self._agents = agents
        self._variables = {"params": dict(parameters)}
        self._expressions = expressions
        self._known: dict[str | tuple[str, ...], list[AgentRef]] = {}

    def of(self, step: str, on: str | tuple[str, ...]) -> list[AgentRef]:
        """Return the hosts of the step with this name, sorted by name.

        Raises: InvalidRequest, NobodyMatches (also when one of several listed names matches nobody).
        """
        if on not in self._known:
            try:
                self._known[on] = self._resolve(step, on)
            except EvaluationError as error:
                raise InvalidRequest(field=f"steps.{step}.on", reason=error.reason) from None
        return self._known[on]

    def _resolve(self, step: str, on: str | tuple[str, ...]) -> list[AgentRef]:
        targets = [self._expression(on)] if isinstance(on, str) else [self._entry(item) for item in on]
        found: dict[str, AgentRef] = {}
        for text, target in (pair for pairs in targets for pair in pairs):
            agents = select(target, self._agents)
            if not agents:
                raise NobodyMatches(field="on", step=step, target=text)
            found.update({agent.id: agent for agent in agents})
        if not found:
            raise NobodyMatches(field="on", step=step, target="an empty list")
        return sorted(found.values(), key=lambda agent: (agent.name, agent.id))

    def _expression(self, text: str) -> list[tuple[str, Target]]:
        """Return the target of an expression; one that is nothing but a parameter may hold a whole expression."""
        if not self._expressions or not has_expression(text):
            return [(text, parse_target(text))]
        parts = parse_template(text)
        if len(parts) == 1 and isinstance(parts[0], Expression):
            value = evaluate(parts[0], self._variables)
            if isinstance(value, list):
                return [_literal(item) for item in value]
            return [(str(value), parse_target(_text(value)))]
        filled = "".join(part if isinstance(part, str) else self._words(part) for part in parts)
        return [(filled, parse_target(filled))]

    def _entry(self, text: str) -> list[tuple[str, Target]]:
        """Return the targets of one entry of a list: a name that a parameter brings is never a pattern."""
        if not self._expressions:
            return [_literal(text)]
        if not has_expression(text):
            return [(text, named(text))]
        values = [part if isinstance(part, str) else evaluate(part, self._variables) for part in parse_template(text)]
        if len(values) == 1 and isinstance(values[0], list):
            return [_literal(item) for item in values[0]]
        return [_literal("".join(_text(value) for value in values))]

    def _words(self, part: Expression) -> str:
        """Return a value inside an expression. It can only be plain words, so that it cannot widen the target."""
        value = evaluate(part, self._variables)
        words = [_text(item) for item in (value if isinstance(value, list) else [value])]
        for word in words:
            if word in KEYWORDS | {"all", "any"} or not _PLAIN.fullmatch(word):
                raise EvaluationError(f"{word[:80]!r} cannot stand inside of a target: one plain word can")
        if not words:
            raise EvaluationError("an empty list cannot stand inside of a target")
        return ", ".join(words)


def _literal(value: Any) -> tuple[str, Target]:
    text = _text(value)
    return text, Named(Word(text, quoted=True))


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise EvaluationError("a target must be text")
    return str(value)
