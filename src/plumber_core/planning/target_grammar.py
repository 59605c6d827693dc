"""The grammar of targets: a tokeniser and a recursive descent, with the column of whatever is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plumber_core.errors import InvalidRequest, NotSupportedYet
from plumber_core.planning.target_terms import FIELD, Both, Either, Everybody, Labelled, Named, Not, Target, Word

MAX_LENGTH = 4000
MAX_DEPTH = 50
KEYWORDS = frozenset({"and", "or", "not", "in"})
_HINTS = {"&": "and", "|": "or", "!": "not", ",": "or"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<quoted>"[^"]*"|'[^']*')|(?P<mark>!=|==|[=(),])|(?P<word>[^\s()=!,"'&|<>]+)|(?P<bad>.)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is ``word``, ``quoted``, ``mark``, ``bad`` or ``end``; ``column`` counts from 1."""

    kind: str
    text: str
    column: int

    @property
    def keyword(self) -> str | None:
        """The token's text when it is a word of the language."""
        return self.text if self.kind == "word" and self.text in KEYWORDS else None


def parse(expression: str) -> Target:
    """Return the target that ``expression`` means.

    Raises: InvalidRequest, NotSupportedYet.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidRequest(field=FIELD, reason=f"longer than {MAX_LENGTH} characters")
    return _Parser(_tokens(expression)).parse()


def _tokens(expression: str) -> list[Token]:
    tokens = [
        Token(str(match.lastgroup), match.group(), match.start() + 1)
        for match in _TOKEN.finditer(expression)
        if match.lastgroup != "space"
    ]
    return [*tokens, Token("end", "", len(expression) + 1)]


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0

    def parse(self) -> Target:
        target = self._either(0)
        if self._next.kind != "end":
            raise self._wrong("and, or, or the end")
        return target

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    def _take(self) -> Token:
        token = self._next
        self._index += token.kind != "end"
        return token

    def _accept(self, text: str) -> bool:
        if self._next.kind in ("word", "mark") and self._next.text == text:
            self._index += 1
            return True
        return False

    def _either(self, depth: int) -> Target:
        parts = [self._both(depth)]
        while self._accept("or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self, depth: int) -> Target:
        parts = [self._negation(depth)]
        while self._accept("and"):
            parts.append(self._negation(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _negation(self, depth: int) -> Target:
        if depth > MAX_DEPTH:
            raise self._error("nested too deeply")
        if self._accept("not"):
            return Not(self._negation(depth + 1))
        return self._atom(depth)

    def _atom(self, depth: int) -> Target:
        if self._accept("("):
            target = self._either(depth + 1)
            self._expect(")")
            return target
        if self._next.kind == "word" and self._next.text == "any" and self._counts():
            raise NotSupportedYet(field=FIELD, key="any N of", column=self._next.column)
        if self._accept("all"):
            return Everybody()
        word = self._word("a name, a label or all")
        return self._comparison(word) or Named(word)

    def _counts(self) -> bool:
        """Say whether ``any`` begins ``any 1 of ...`` instead of being an agent's name."""
        following = [token.text for token in self._tokens[self._index + 1 : self._index + 3]]
        return "of" in following or following[0].isdigit()

    def _comparison(self, label: Word) -> Target | None:
        if self._accept("=") or self._accept("=="):
            return Labelled(label.text, (self._word("a value"),))
        if self._accept("!="):
            return Not(Labelled(label.text, (self._word("a value"),)))
        if self._accept("in"):
            return Labelled(label.text, self._list())
        if self._next.keyword == "not":
            self._take()
            self._expect("in")
            return Not(Labelled(label.text, self._list()))
        return None

    def _list(self) -> tuple[Word, ...]:
        self._expect("(")
        words = [self._word("a value")]
        while self._accept(","):
            words.append(self._word("a value"))
        self._expect(")")
        return tuple(words)

    def _word(self, expected: str) -> Word:
        if self._next.kind == "quoted" and len(self._next.text) > 2:
            return Word(self._take().text[1:-1], quoted=True)
        if self._next.kind == "word" and not self._next.keyword:
            return Word(self._take().text)
        raise self._wrong(expected)

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._wrong(text)

    def _wrong(self, expected: str) -> InvalidRequest:
        token = self._next
        if token.text in ('"', "'"):
            return self._error("a quote is not closed")
        found = f"found {token.text}" if token.text else "found the end"
        hint = f" (write {_HINTS[token.text]})" if token.text in _HINTS else ""
        return self._error(f"expected {expected}, {found}{hint}")

    def _error(self, reason: str) -> InvalidRequest:
        column = self._next.column
        return InvalidRequest(field=FIELD, reason=f"column {column}: {reason}", column=column)
