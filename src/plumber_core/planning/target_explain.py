"""Why a target matches whom it does: who nearly does, and which of its words nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from plumber_core.model.agent import AgentRef
from plumber_core.model.states import AgentState
from plumber_core.planning.problems import nearest
from plumber_core.planning.target_terms import Bare, Compared, Failed, Labelled, Named, Target
from plumber_core.reasons import Because, because

NEVER_MATCHING = frozenset({AgentState.DISABLED, AgentState.REVOKED})
_DERIVED = ("name", "id")


@dataclass(frozen=True, slots=True)
class Near:
    """An agent that a target does not mean, and the terms that it fails."""

    agent: AgentRef
    failed: tuple[Failed, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A word of a target that no agent answers to: a name, a label or a label's value, and the nearest that exists."""

    word: str
    nearest: str | None


def why_nobody(target: Target, agents: Sequence[AgentRef]) -> Because:
    """Return the likeliest reason why no agent that may run something matches: a misspelt word, else the nearest miss.

    Those of ``agents`` that match all the same are disabled or revoked.
    """
    unknown = unknown_words(target, agents)
    for one in unknown:
        if one.nearest is not None:
            return because("target_nearest", word=one.word, nearest=one.nearest)
    for agent in agents:
        if target.matches(agent):
            return because("target_disabled", name=agent.name)
    if unknown:
        return because("target_unknown", word=unknown[0].word)
    for miss in near_misses(target, agents, 1):
        return because("target_near", name=miss.agent.name, term=miss.failed[0].term)
    return because("target_no_agents")


def near_misses(target: Target, agents: Iterable[AgentRef], most: int) -> list[Near]:
    """Return the agents that fail the fewest terms, those first whose labels are there with another value."""
    near = [Near(agent, failed) for agent in agents if (failed := target.failures(agent))]
    return sorted(near, key=_distance)[:most]


def _distance(near: Near) -> tuple[int, int, str]:
    return len(near.failed), sum(failed.value is None for failed in near.failed), near.agent.name


def unknown_words(target: Target, agents: Sequence[AgentRef]) -> list[Unknown]:
    """Return what stands in a target and fits no agent at all, in the order in which it stands there."""
    found = (unknown for term in target.terms() for unknown in _unknown(term, agents))
    return list(dict.fromkeys(found))


def _unknown(term: Target, agents: Sequence[AgentRef]) -> Iterator[Unknown]:
    if isinstance(term, Named):
        if not term.word.is_pattern and not any(term.matches(agent) for agent in agents):
            names = [agent.name for agent in agents]
            labels = [key for agent in agents for key in agent.labels] if isinstance(term, Bare) else []
            yield Unknown(term.word.text, nearest(term.word.text, (*names, *labels)))
    elif isinstance(term, Labelled | Compared):
        values = {value for agent in agents if (value := agent.label(term.label)) is not None}
        if not values:
            keys = {key for agent in agents for key in (*agent.labels, *agent.facts, *_DERIVED)}
            yield Unknown(term.label, nearest(term.label, sorted(keys)))
        elif isinstance(term, Labelled):
            yield from _unknown_values(term, values)


def _unknown_values(term: Labelled, values: set[str]) -> Iterator[Unknown]:
    for word in term.values:
        if not word.is_pattern and not any(word.fits(value) for value in values):
            guess = nearest(word.text, sorted(values))
            yield Unknown(f"{term.label}={word.text}", None if guess is None else f"{term.label}={guess}")
