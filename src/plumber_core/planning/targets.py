"""Targets: which agents a step runs on. Text becomes a ``Target``, a target and agents become agents.

    all | NAME | ID | web-* | group:NAME | label | label=value | label!=value | label in (a, b) | label not in (a, b)
    any 1 of X (at the beginning only: whoever of them is free)
    cpus>=4 | memory>8G | version<0.2 | not X | X and Y | X or Y | (X)

A bare word is a name, an id, with ``*`` or ``?`` a pattern over names, or a label that people have set to anything but
``false``. ``group:`` names a saved group: an expression to which people gave a name. Facts (os, arch, cpus, memory,
hostname, version, ip) are labels too. An agent without a label has not its value: ``!=`` and ``not in`` match it.
``and`` binds closer than ``or``. Quotes make any text a word and switch patterns off.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from plumber_core.errors import InvalidRequest
from plumber_core.model.agent import AgentRef
from plumber_core.planning import target_grammar
from plumber_core.planning.target_explain import NEVER_MATCHING
from plumber_core.planning.target_groups import Groups
from plumber_core.planning.target_terms import FIELD, Aim, Either, Named, Target, Word
from plumber_core.reasons import because

__all__ = ["NEVER_MATCHING", "Groups", "Target", "bound", "named", "parse_aim", "parse_target", "resolve", "select"]


@functools.lru_cache(maxsize=256)
def parse_aim(expression: str) -> Aim:
    """Return where a step runs whose target is ``expression``.

    Raises: InvalidRequest (its reason names the column).
    """
    return target_grammar.parse(expression)


def parse_target(expression: str) -> Target:
    """Return whom ``expression`` means: of a pool, everybody who belongs to it.

    Raises: InvalidRequest (its reason names the column).
    """
    return parse_aim(expression).who


def named(name: str) -> Target:
    """Return the target of one entry of a list of names: a name, an id or a pattern, never an expression.

    Raises: InvalidRequest.
    """
    if not name.strip():
        raise InvalidRequest(field=FIELD, reason=because("empty_name"))
    return Named(Word(name))


class Roll(list[AgentRef]):
    """A fleet as it was at one moment, with its groups: whom a target means is looked for once, not for every run."""

    KEPT = 200

    def __init__(self, agents: Iterable[AgentRef] = (), groups: Groups | None = None) -> None:
        super().__init__(agents)
        self.groups = groups or Groups()
        self._meant: dict[Target, list[AgentRef]] = {}

    def meant(self, target: Target) -> list[AgentRef]:
        """Return what ``select`` does.

        Raises: InvalidRequest.
        """
        if target not in self._meant:
            if len(self._meant) >= self.KEPT:
                self._meant.clear()
            self._meant[target] = _matching(self.groups.bind(target), self)
        return list(self._meant[target])


def bound(target: Target, agents: Sequence[AgentRef]) -> Target:
    """Return a target whose groups are those of the fleet; agents that are no ``Roll`` have none.

    Raises: InvalidRequest (there is no such group).
    """
    return (agents.groups if isinstance(agents, Roll) else Groups()).bind(target)


def select(target: Target, agents: Sequence[AgentRef]) -> list[AgentRef]:
    """Return the agents that are meant and may run something, by name.

    Raises: InvalidRequest (there is no such group).
    """
    return agents.meant(target) if isinstance(agents, Roll) else _matching(bound(target, agents), agents)


def _matching(target: Target, agents: Sequence[AgentRef]) -> list[AgentRef]:
    found = [agent for agent in agents if agent.state not in NEVER_MATCHING and target.matches(agent)]
    return sorted(found, key=lambda agent: (agent.name, agent.id))


def resolve(expression: str | Sequence[str], agents: Sequence[AgentRef]) -> list[AgentRef]:
    """Return the agents that an expression, or a list of names, means, by name; disabled and revoked never match.

    Raises: InvalidRequest.
    """
    if isinstance(expression, str):
        return select(parse_target(expression), agents)
    return select(Either(tuple(named(name) for name in expression)), agents)
