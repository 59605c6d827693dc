"""Targets: which agents a step runs on. Text becomes a ``Target``, a target and agents become agents.

    all | NAME | ID | web-* | label=value | label!=value | label in (a, b) | label not in (a, b)
    not X | X and Y | X or Y | (X)

A bare word is a name, an id, or with ``*`` or ``?`` a pattern over names. Facts (os, arch, hostname, version, ip) are
labels too. An agent without a label has not its value: ``!=`` and ``not in`` match it. ``and`` binds closer than
``or``. Quotes make any text a word and switch patterns off.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from plumber_core.errors import InvalidRequest
from plumber_core.model.agent import AgentRef
from plumber_core.model.states import AgentState
from plumber_core.planning import target_grammar
from plumber_core.planning.target_terms import FIELD, Either, Named, Target, Word

__all__ = ["NEVER_MATCHING", "Target", "named", "parse_target", "resolve", "select"]

NEVER_MATCHING = frozenset({AgentState.DISABLED, AgentState.REVOKED})


@functools.lru_cache(maxsize=256)
def parse_target(expression: str) -> Target:
    """Return the target that ``expression`` means.

    Raises: InvalidRequest (its reason names the column), NotSupportedYet.
    """
    return target_grammar.parse(expression)


def named(name: str) -> Target:
    """Return the target of one entry of a list of names: a name, an id or a pattern, never an expression.

    Raises: InvalidRequest.
    """
    if not name.strip():
        raise InvalidRequest(field=FIELD, reason="a name is empty")
    return Named(Word(name))


def select(target: Target, agents: Sequence[AgentRef]) -> list[AgentRef]:
    """Return the agents that are meant and may run something, by name."""
    found = [agent for agent in agents if agent.state not in NEVER_MATCHING and target.matches(agent)]
    return sorted(found, key=lambda agent: (agent.name, agent.id))


def resolve(expression: str | Sequence[str], agents: Sequence[AgentRef]) -> list[AgentRef]:
    """Return the agents that an expression, or a list of names, means, by name; disabled and revoked never match.

    Raises: InvalidRequest.
    """
    if isinstance(expression, str):
        return select(parse_target(expression), agents)
    return select(Either(tuple(named(name) for name in expression)), agents)
