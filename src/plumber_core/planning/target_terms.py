"""What a target is made of: words, labels, and their combinations."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from plumber_core.model.agent import AgentRef

FIELD = "on"


@dataclass(frozen=True, slots=True)
class Word:
    """A value in a target. ``quoted`` ones are taken literally."""

    text: str
    quoted: bool = False

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


class Target:
    """A parsed target."""

    def matches(self, agent: AgentRef) -> bool:
        """Say whether ``agent`` is meant, whatever its state."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Everybody(Target):
    """``all``."""

    def matches(self, agent: AgentRef) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Named(Target):
    """A name, an id or a pattern over names."""

    word: Word

    def matches(self, agent: AgentRef) -> bool:
        return self.word.fits(agent.name) or self.word.text == agent.id


@dataclass(frozen=True, slots=True)
class Labelled(Target):
    """A label with one of some values."""

    label: str
    values: tuple[Word, ...]

    def matches(self, agent: AgentRef) -> bool:
        value = agent.label(self.label)
        return any(word.fits(value) for word in self.values)


@dataclass(frozen=True, slots=True)
class Not(Target):
    """Everybody but."""

    inner: Target

    def matches(self, agent: AgentRef) -> bool:
        return not self.inner.matches(agent)


@dataclass(frozen=True, slots=True)
class Both(Target):
    """All of the parts."""

    parts: tuple[Target, ...]

    def matches(self, agent: AgentRef) -> bool:
        return all(part.matches(agent) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either(Target):
    """Any of the parts."""

    parts: tuple[Target, ...]

    def matches(self, agent: AgentRef) -> bool:
        return any(part.matches(agent) for part in self.parts)
