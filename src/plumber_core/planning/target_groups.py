"""Saved groups: targets that have a name, of which other targets are made."""

from __future__ import annotations

import re
from collections.abc import Mapping

from plumber_core.errors import InvalidRequest
from plumber_core.planning import target_grammar
from plumber_core.planning.problems import nearest
from plumber_core.planning.target_terms import FIELD, InGroup, Target
from plumber_core.reasons import because

MAX_TERMS = 5000
"""Of a target with all its groups opened: a few short groups can name each other into any size."""
_NAME = re.compile(r"\w[\w.-]{0,62}")


class Groups:
    """The saved groups of a fleet: name -> target expression."""

    def __init__(self, expressions: Mapping[str, str] | None = None) -> None:
        self.expressions = dict(expressions or {})
        self._opened: dict[str, Target] = {}
        self._sizes: dict[str, int] = {}

    def bind(self, target: Target) -> Target:
        """Return ``target`` with every group in it opened.

        Raises: InvalidRequest (there is no such group, it is made of itself, or all is too large).
        """
        return self._bind(target, ())

    def check(self, name: str, expression: str) -> Target:
        """Return what a group would mean that is to be saved, with every group in it opened.

        Raises: InvalidRequest.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequest(field="name", reason=because("bad_group_name"))
        if target_grammar.parse(expression).any_of:
            raise InvalidRequest(field=FIELD, reason=because("group_pool"))
        return Groups(self.expressions | {name: expression}).bind(InGroup(name))

    def using(self, name: str) -> list[str]:
        """Return the groups that are made of this one, by name."""
        return sorted(other for other, text in self.expressions.items() if name in _named_in(_parsed(text)))

    def _bind(self, target: Target, within: tuple[str, ...]) -> Target:
        bound = target.opened(lambda term: InGroup(term.name, self._open(term.name, within)))
        self._measure(target)
        return bound

    def _open(self, name: str, within: tuple[str, ...]) -> Target:
        if name in within:
            raise InvalidRequest(field=FIELD, reason=because("group_circle", path=" > ".join((*within, name))))
        if name not in self._opened:
            if name not in self.expressions:
                raise self._unknown(name)
            target = _parsed(self.expressions[name])
            self._opened[name] = self._bind(target, (*within, name))
            self._sizes[name] = self._measure(target)
        return self._opened[name]

    def _measure(self, target: Target) -> int:
        size = sum(self._sizes[term.name] if isinstance(term, InGroup) else 1 for term in target.terms())
        if size > MAX_TERMS:
            raise InvalidRequest(field=FIELD, reason=because("group_too_large", most=MAX_TERMS))
        return size

    def _unknown(self, name: str) -> InvalidRequest:
        meant = nearest(name, sorted(self.expressions))
        why = because("group_nearest", name=name, nearest=meant) if meant else because("group_unknown", name=name)
        return InvalidRequest(field=FIELD, reason=why)


def _parsed(expression: str) -> Target:
    return target_grammar.parse(expression).who


def _named_in(target: Target) -> set[str]:
    return {term.name for term in target.terms() if isinstance(term, InGroup)}
