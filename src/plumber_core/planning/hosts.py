"""Which hosts a step gets: its target, with the parameters of this run filled in, over the fleet as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from plumber_core.errors import InvalidRequest, NobodyMatches
from plumber_core.model.agent import AgentRef
from plumber_core.planning.expressions import EvaluationError, Expression, evaluate
from plumber_core.planning.target_explain import why_nobody
from plumber_core.planning.target_grammar import INSERTED, KEYWORDS
from plumber_core.planning.target_terms import Aim, Named, Target, Word
from plumber_core.planning.targets import bound, named, parse_aim, select
from plumber_core.planning.templates import has_expression, parse_template
from plumber_core.reasons import Because, because

_PLAIN = re.compile(r"[\w.:/@+%~-]+")
Names = tuple[Target, ...]


class Chosen(NamedTuple):
    """Where a step runs: on each of ``agents``, sorted by name, or on ``any_of`` of them. ``said`` is the target."""

    agents: list[AgentRef]
    any_of: int
    said: str


class _Found(NamedTuple):
    """``nobody`` is the first target that no agent matches, and why."""

    chosen: Chosen
    nobody: tuple[str, Because] | None


class TargetsOf(Protocol):
    """Answers where a step, a block or a gate runs."""

    def of(self, step: str, on: str | tuple[str, ...], *, allow_empty: bool = False) -> Chosen: ...


class Hosts:
    """Answers for one run; the same target is looked up once."""

    def __init__(self, agents: Sequence[AgentRef], parameters: Mapping[str, Any], *, expressions: bool) -> None:
        self._agents = agents
        self._variables = {"params": dict(parameters)}
        self._expressions = expressions
        self._known: dict[str | tuple[str, ...], _Found] = {}

    def of(self, step: str, on: str | tuple[str, ...], *, allow_empty: bool = False) -> Chosen:
        """Return where the step with this name runs; with ``allow_empty`` there may be no agent.

        Raises: InvalidRequest, NobodyMatches (also when one of several listed names matches nobody).
        """
        if on not in self._known:
            try:
                self._known[on] = self._resolve(on)
            except EvaluationError as error:
                raise InvalidRequest(field=f"steps.{step}.on", reason=error.reason) from None
        found = self._known[on]
        if found.nobody is not None and not allow_empty:
            text, reason = found.nobody
            raise NobodyMatches(field="on", step=step, target=text, reason=reason)
        agents, any_of, _ = found.chosen
        if 0 < len(agents) < any_of:
            reason = because("pool_too_small", wanted=any_of, found=len(agents))
            raise InvalidRequest(field=f"steps.{step}.on", reason=reason)
        return found.chosen

    def _resolve(self, on: str | tuple[str, ...]) -> _Found:
        pairs = self._expression(on) if isinstance(on, str) else [pair for item in on for pair in self._entry(item)]
        found: dict[str, AgentRef] = {}
        nobody = None if pairs else ("[]", because("target_empty_list"))
        for text, aim in pairs:
            agents = select(aim.who, self._agents)
            if not agents and nobody is None:
                nobody = (text, why_nobody(bound(aim.who, self._agents), self._agents))
            found.update({agent.id: agent for agent in agents})
        agents = sorted(found.values(), key=lambda agent: (agent.name, agent.id))
        # Only an expression can be a pool, and it is one pair.
        return _Found(
            Chosen(agents, max((aim.any_of for _, aim in pairs), default=0), pairs[0][0] if pairs else ""), nobody
        )

    def _expression(self, text: str) -> list[tuple[str, Aim]]:
        """Return the target of an expression; one that is nothing but a parameter may hold a whole expression."""
        if not self._expressions or not has_expression(text):
            return [(text, parse_aim(text))]
        parts = parse_template(text)
        if len(parts) == 1 and isinstance(parts[0], Expression):
            value = evaluate(parts[0], self._variables)
            if isinstance(value, list):
                return [_literal(item) for item in value]
            return [(str(value), parse_aim(_text(value)))]
        filled = "".join(part if isinstance(part, str) else self._words(part) for part in parts)
        return [(filled.replace(INSERTED, ""), parse_aim(filled))]

    def _entry(self, text: str) -> list[tuple[str, Aim]]:
        """Return the targets of one entry of a list: a name that a parameter brings is never a pattern."""
        if not self._expressions:
            return [_literal(text)]
        if not has_expression(text):
            return [(text, Aim(named(text)))]
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
        return ", ".join(INSERTED + word for word in words)


def _literal(value: Any) -> tuple[str, Aim]:
    text = _text(value)
    return text, Aim(Named(Word(text, quoted=True)))


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise EvaluationError("a target must be text")
    return str(value)
