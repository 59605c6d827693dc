"""What a target is made of: words, labels, and their combinations."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from plumber_core.model.agent import AgentRef
from plumber_core.planning.target_values import Amount, amount, order

FIELD = "on"
GROUP = "group:"
OFF = "false"
"""A label of this value counts as not set where a bare word asks for it."""


@dataclass(frozen=True, slots=True)
class Word:
    """A value in a target. ``quoted`` ones are taken literally."""

    text: str
    quoted: bool = False

    def __str__(self) -> str:
        quote = "'" if '"' in self.text else '"'
        return f"{quote}{self.text}{quote}" if self.quoted else self.text

    def fits(self, value: str | None) -> bool:
        """Say whether a label's value or a name is meant."""
        if value is None:
            return False
        return _glob(self.text)(value) if self.is_pattern else value == self.text

    @property
    def is_pattern(self) -> bool:
        """Say whether ``*`` and ``?`` stand for other characters."""
        return not self.quoted and ("*" in self.text or "?" in self.text)


@functools.lru_cache(maxsize=1024)
def _glob(pattern: str) -> Callable[[str], bool]:
    literal = re.sub(r"\*+", "*", pattern).replace("[", "[[]")
    matcher = re.compile(fnmatch.translate(literal))
    return lambda value: matcher.match(value) is not None


@dataclass(frozen=True, slots=True)
class Failed:
    """A term that an agent does not fulfil: the ``label`` that it asks for and the ``value`` that is there."""

    term: str
    label: str
    value: str | None


class Target:
    """A parsed target. Its ``str`` is the expression again."""

    def matches(self, agent: AgentRef) -> bool:
        """Say whether ``agent`` is meant, whatever its state."""
        raise NotImplementedError

    def failures(self, agent: AgentRef) -> tuple[Failed, ...]:
        """Return the fewest terms that would have to be fulfilled for ``agent`` to be meant."""
        return () if self.matches(agent) else (self._failed(agent),)

    def terms(self) -> Iterator[Target]:
        """Yield what asks for a name or a label, wherever it stands."""
        yield self

    def opened(self, opening: Callable[[InGroup], Target]) -> Target:
        """Return this target with ``opening`` of each group in the place of the group."""
        return self

    def _failed(self, agent: AgentRef) -> Failed:
        return Failed(str(self), "name", agent.name)


@dataclass(frozen=True, slots=True)
class Everybody(Target):
    """``all``."""

    def __str__(self) -> str:
        return "all"

    def matches(self, agent: AgentRef) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Named(Target):
    """A name, an id or a pattern over names."""

    word: Word

    def __str__(self) -> str:
        return str(self.word)

    def matches(self, agent: AgentRef) -> bool:
        return self.word.fits(agent.name) or self.word.text == agent.id


@dataclass(frozen=True, slots=True)
class Bare(Named):
    """A word by itself: a name, an id, a pattern, or a label that people have set."""

    def matches(self, agent: AgentRef) -> bool:
        return Named.matches(self, agent) or agent.labels.get(self.word.text, OFF) != OFF


@dataclass(frozen=True, slots=True)
class InGroup(Target):
    """``group:NAME``: whom a saved group means; ``meaning`` is None until it was looked up."""

    name: str
    meaning: Target | None = None

    def __str__(self) -> str:
        return f"{GROUP}{self.name}"

    def matches(self, agent: AgentRef) -> bool:
        return self._known.matches(agent)

    def failures(self, agent: AgentRef) -> tuple[Failed, ...]:
        return self._known.failures(agent)

    def terms(self) -> Iterator[Target]:
        yield from (self,) if self.meaning is None else self.meaning.terms()

    def opened(self, opening: Callable[[InGroup], Target]) -> Target:
        return opening(self)

    @property
    def _known(self) -> Target:
        if self.meaning is None:
            raise LookupError(f"{self} was not looked up")
        return self.meaning


@dataclass(frozen=True, slots=True)
class _OnLabel(Target):
    label: str

    def _failed(self, agent: AgentRef) -> Failed:
        return Failed(str(self), self.label, agent.label(self.label))


@dataclass(frozen=True, slots=True)
class Labelled(_OnLabel):
    """A label with one of some values."""

    values: tuple[Word, ...]

    def __str__(self) -> str:
        if len(self.values) == 1:
            return f"{self.label}={self.values[0]}"
        return f"{self.label} in ({', '.join(map(str, self.values))})"

    def matches(self, agent: AgentRef) -> bool:
        value = agent.label(self.label)
        return any(word.fits(value) for word in self.values)


_HOLDS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
COMPARISONS = tuple(_HOLDS)


@dataclass(frozen=True, slots=True)
class Compared(_OnLabel):
    """A label whose value is more or less than another. One that is no amount is neither."""

    mark: str
    bound: Amount
    written: str

    def __str__(self) -> str:
        return f"{self.label}{self.mark}{self.written}"

    def matches(self, agent: AgentRef) -> bool:
        value = amount(agent.label(self.label) or "")
        return value is not None and _HOLDS[self.mark](order(value, self.bound))


@dataclass(frozen=True, slots=True)
class Not(Target):
    """Everybody but."""

    inner: Target

    def __str__(self) -> str:
        if isinstance(self.inner, Labelled):
            return str(self.inner).replace("=", "!=", 1) if len(self.inner.values) == 1 else self._not_in(self.inner)
        return f"not {_bracketed(self.inner)}"

    @staticmethod
    def _not_in(inner: Labelled) -> str:
        return f"{inner.label} not in ({', '.join(map(str, inner.values))})"

    def matches(self, agent: AgentRef) -> bool:
        return not self.inner.matches(agent)

    def terms(self) -> Iterator[Target]:
        yield from self.inner.terms()

    def opened(self, opening: Callable[[InGroup], Target]) -> Target:
        return Not(self.inner.opened(opening))

    def _failed(self, agent: AgentRef) -> Failed:
        if isinstance(self.inner, _OnLabel):
            return Failed(str(self), self.inner.label, agent.label(self.inner.label))
        if isinstance(self.inner, Bare) and not Named.matches(self.inner, agent):
            return Failed(str(self), self.inner.word.text, agent.label(self.inner.word.text))
        return Failed(str(self), "name", agent.name)


@dataclass(frozen=True, slots=True)
class Both(Target):
    """All of the parts."""

    parts: tuple[Target, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, Either) else str(part) for part in self.parts)

    def matches(self, agent: AgentRef) -> bool:
        return all(part.matches(agent) for part in self.parts)

    def failures(self, agent: AgentRef) -> tuple[Failed, ...]:
        return tuple(failed for part in self.parts for failed in part.failures(agent))

    def terms(self) -> Iterator[Target]:
        for part in self.parts:
            yield from part.terms()

    def opened(self, opening: Callable[[InGroup], Target]) -> Target:
        return Both(tuple(part.opened(opening) for part in self.parts))


@dataclass(frozen=True, slots=True)
class Either(Target):
    """Any of the parts."""

    parts: tuple[Target, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))

    def matches(self, agent: AgentRef) -> bool:
        return any(part.matches(agent) for part in self.parts)

    def failures(self, agent: AgentRef) -> tuple[Failed, ...]:
        return min((part.failures(agent) for part in self.parts), key=len)

    def terms(self) -> Iterator[Target]:
        for part in self.parts:
            yield from part.terms()

    def opened(self, opening: Callable[[InGroup], Target]) -> Target:
        return Either(tuple(part.opened(opening) for part in self.parts))


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a step runs: on everybody who is meant, or on ``any_of`` of them, whoever is free."""

    who: Target
    any_of: int = 0

    def __str__(self) -> str:
        return f"any {self.any_of} of {self.who}" if self.any_of else str(self.who)


def _bracketed(target: Target) -> str:
    return f"({target})" if isinstance(target, Both | Either) else str(target)
