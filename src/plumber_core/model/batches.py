"""How many hosts each batch has: ``1``, ``10%``, ``1 5 20% 100%``, ``5 *2``, ``5 +10``.

Sizes are separated by spaces. A number is so many hosts, a share one of all hosts of the block, rounded up, ``100%``
the rest. The last size is repeated until every host has had its turn; ``*N`` or ``+N`` in the last place makes each
batch that much larger than the one before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from plumber_core.reasons import Because, because

MAX_SIZES = 100
_COUNT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,2})?)%", re.ASCII)
_GROWTH = re.compile(r"([*+])([1-9][0-9]{0,5})", re.ASCII)


class BadBatches(ValueError):
    """``reason`` says what is wrong."""

    def __init__(self, reason: Because) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Share:
    """Percent of all hosts."""

    percent: Decimal

    def up(self, hosts: int) -> int:
        """Return how many hosts that is, rounded up."""
        return math.ceil(self.percent * hosts / 100)

    def down(self, hosts: int) -> int:
        """Return how many hosts that is, rounded down."""
        return math.floor(self.percent * hosts / 100)


@dataclass(frozen=True, slots=True)
class Growth:
    """``*`` or ``+`` the size of the batch before."""

    sign: Literal["*", "+"]
    by: int

    def after(self, size: int) -> int:
        """Return the size of the batch that follows one of ``size`` hosts."""
        return size * self.by if self.sign == "*" else size + self.by


Size = int | Share | Growth
EVERYBODY = Share(Decimal(100))


def parse_amount(value: object) -> int | Share | None:
    """Return a number of hosts, zero included, or a share of them; None when ``value`` is neither."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000:
        return value
    if isinstance(value, str) and (match := _SHARE.fullmatch(value)) and Decimal(match[1]) <= 100:
        return Share(Decimal(match[1]))
    if isinstance(value, str) and (value == "0" or _COUNT.fullmatch(value)):
        return int(value)
    return None


def parse_batches(written: object) -> tuple[Size, ...]:
    """Return the sizes of what stands under ``batches``: text, a number, or a list of both.

    Raises: BadBatches.
    """
    items = list(written) if isinstance(written, list | tuple) else [written]
    sizes = [_size(word) for item in items for word in _words(item)]
    if not sizes:
        raise BadBatches(because("empty"))
    if len(sizes) > MAX_SIZES:
        raise BadBatches(because("batch_too_many", most=MAX_SIZES))
    if isinstance(sizes[0], Growth):
        raise BadBatches(because("batch_growth_first", word=f"{sizes[0].sign}{sizes[0].by}"))
    for size in sizes[:-1]:
        if isinstance(size, Growth):
            raise BadBatches(because("batch_growth_inside", word=f"{size.sign}{size.by}"))
        if size == EVERYBODY:
            raise BadBatches(because("batch_after_all"))
    return tuple(sizes)


def _words(item: object) -> Iterable[str]:
    if isinstance(item, bool) or not isinstance(item, int | str):
        raise BadBatches(because("batch_syntax", word=str(item)[:80]))
    return str(item).split()


def _size(word: str) -> Size:
    if _COUNT.fullmatch(word):
        return int(word)
    if (match := _SHARE.fullmatch(word)) and 0 < Decimal(match[1]) <= 100:
        return Share(Decimal(match[1]))
    if match := _GROWTH.fullmatch(word):
        return Growth("*" if match[1] == "*" else "+", int(match[2]))
    raise BadBatches(because("batch_syntax", word=word[:80]))


def sizes_of(sizes: tuple[Size, ...], hosts: int) -> Iterator[int]:
    """Yield how many hosts each batch has of so many in all."""
    left, size, number = hosts, 0, 0
    while left > 0:
        wanted = sizes[min(number, len(sizes) - 1)]
        if isinstance(wanted, Growth):
            size = wanted.after(size)
        elif wanted == EVERYBODY:
            size = left
        else:
            size = wanted.up(hosts) if isinstance(wanted, Share) else wanted
        yield min(size, left)
        left -= size
        number += 1
