"""The grammar of targets: a tokeniser and a recursive descent, with the column of whatever is wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plumber_core.errors import InvalidRequest
from plumber_core.planning.problems import nearest
from plumber_core.planning.target_terms import (
    COMPARISONS,
    FIELD,
    GROUP,
    Aim,
    Bare,
    Both,
    Compared,
    Either,
    Everybody,
    InGroup,
    Labelled,
    Named,
    Not,
    Target,
    Word,
)
from plumber_core.planning.target_values import amount
from plumber_core.reasons import because

MAX_LENGTH = 4000
MAX_DEPTH = 50
MAX_ANY_OF = 1000
INSERTED = "\ue000"
"""Stands before a value that a parameter brings: such a word by itself is a name, never a label that is set."""
KEYWORDS = frozenset({"and", "or", "not", "in"})
_HINTS = {"&": "and", "|": "or", "!": "not", ",": "or"}
_EXPECTED_KEYWORDS = {"in": ("in",), "expect_target_link": ("and", "or")}
"""The keywords that may stand where these were expected."""
_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<quoted>"[^"]*"|'[^']*')|(?P<mark>[!=<>]=|[=(),<>])|(?P<word>[^\s()=!,"'&|<>]+)|(?P<bad>.)""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is ``word``, ``quoted``, ``mark``, ``bad`` or ``end``; ``column`` counts from 1."""

    kind: str
    text: str
    column: int
    inserted: bool = False

    @property
    def keyword(self) -> str | None:
        """The token's text when it is a word of the language."""
        return self.text if self.kind == "word" and self.text in KEYWORDS else None


def parse(expression: str) -> Aim:
    """Return what ``expression`` means.

    Raises: InvalidRequest.
    """
    if len(expression) > MAX_LENGTH:
        raise InvalidRequest(field=FIELD, reason=because("too_long", most=MAX_LENGTH))
    return _Parser(_tokens(expression)).parse()


def _tokens(expression: str) -> list[Token]:
    tokens = [
        Token(str(match.lastgroup), match.group().replace(INSERTED, ""), match.start() + 1, INSERTED in match.group())
        for match in _TOKEN.finditer(expression)
        if match.lastgroup != "space"
    ]
    return [*tokens, Token("end", "", len(expression) + 1)]


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0

    def parse(self) -> Aim:
        any_of = self._pool() if self._begins_pool() else 0
        target = self._either(0)
        if self._next.kind != "end":
            raise self._wrong(because("expect_target_link"))
        return Aim(target, any_of)

    def _begins_pool(self) -> bool:
        """Say whether ``any`` begins ``any 1 of ...`` instead of being an agent's name."""
        if self._next.kind != "word" or self._next.text != "any":
            return False
        following = [token.text for token in self._tokens[self._index + 1 : self._index + 3]]
        return "of" in following or following[0].isdigit()

    def _pool(self) -> int:
        self._take()
        text = self._next.text
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_ANY_OF):
            raise self._wrong(because("expect_integer", low=1, high=MAX_ANY_OF))
        self._take()
        self._expect("of")
        return int(text)

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
            raise self._error("target_too_deep")
        if self._accept("not"):
            return Not(self._negation(depth + 1))
        return self._atom(depth)

    def _atom(self, depth: int) -> Target:
        if self._accept("("):
            target = self._either(depth + 1)
            self._expect(")")
            return target
        if self._begins_pool():
            raise self._error("target_pool_inside")
        if self._accept("all"):
            return Everybody()
        inserted = self._next.inserted
        word = self._word(because("expect_target_word"))
        if (compared := self._comparison(word)) is not None:
            return compared
        if inserted or word.quoted:
            return Named(word)
        return InGroup(word.text.removeprefix(GROUP)) if word.text.startswith(GROUP) else Bare(word)

    def _comparison(self, label: Word) -> Target | None:
        if self._accept("=") or self._accept("=="):
            return Labelled(label.text, (self._word(because("expect_target_value")),))
        if self._accept("!="):
            return Not(Labelled(label.text, (self._word(because("expect_target_value")),)))
        if self._next.kind == "mark" and self._next.text in COMPARISONS:
            return Compared(label.text, self._take().text, *self._amount())
        if self._accept("in"):
            return Labelled(label.text, self._list())
        if self._next.keyword == "not":
            self._take()
            self._expect("in")
            return Not(Labelled(label.text, self._list()))
        return None

    def _amount(self) -> tuple[tuple[float, ...], str]:
        column = self._next.column
        word = self._word(because("expect_target_amount"))
        if (value := amount(word.text)) is None:
            raise self._error("target_syntax", column, expected=because("expect_target_amount"), found=word.text)
        return value, word.text

    def _list(self) -> tuple[Word, ...]:
        self._expect("(")
        words = [self._word(because("expect_target_value"))]
        while self._accept(","):
            words.append(self._word(because("expect_target_value")))
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
            return self._error("target_quote")
        if not token.text:
            return self._error("target_end", expected=expected)
        if (hint := _HINTS.get(token.text) or _misspelt(token, expected)) is not None:
            return self._error("target_hint", expected=expected, found=token.text, hint=hint)
        return self._error("target_syntax", expected=expected, found=token.text)

    def _error(self, code: str, column: int = 0, **arguments: str) -> InvalidRequest:
        column = column or self._next.column
        return InvalidRequest(field=FIELD, reason=because(code, column=column, **arguments), column=column)


def _misspelt(token: Token, expected: str) -> str | None:
    """Return the keyword that a word was probably meant to be, of those that may stand there."""
    words = _EXPECTED_KEYWORDS.get(getattr(expected, "code", expected), ())
    return nearest(token.text, words) if token.kind == "word" else None
