"""The grammar of batches: what is read, what is refused and why, and which sizes it gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.model.batches import BadBatches, Share, parse_amount, parse_batches, sizes_of


def sizes(written: Any, hosts: int) -> list[int]:
    return list(sizes_of(parse_batches(written), hosts))


@pytest.mark.parametrize(
    ("written", "hosts", "expected"),
    [
        ("1", 3, [1, 1, 1]),
        (1, 3, [1, 1, 1]),
        ("10%", 25, [3, 3, 3, 3, 3, 3, 3, 3, 1]),
        ("1 5 20% 100%", 200, [1, 5, 40, 154]),
        ([1, "10%", "50%", "100%"], 200, [1, 20, 100, 79]),
        (["1 5", "100%"], 10, [1, 5, 4]),
        ("5 *2", 60, [5, 10, 20, 25]),
        ("5 +10", 60, [5, 15, 25, 15]),
        ("10% *3", 50, [5, 15, 30]),
        ("1 20%", 10, [1, 2, 2, 2, 2, 1]),
        ("100%", 7, [7]),
        ("0.5%", 100, [1] * 100),
        ("5 100%", 3, [3]),
        ("1 100%", 0, []),
    ],
)
def test_sizes(written: Any, hosts: int, expected: list[int]) -> None:
    assert sizes(written, hosts) == expected


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("", "empty"),
        ([], "empty"),
        ("0", "batch_syntax"),
        ("0%", "batch_syntax"),
        ("101%", "batch_syntax"),
        ("-1", "batch_syntax"),
        ("ten", "batch_syntax"),
        ("1,5", "batch_syntax"),
        (True, "batch_syntax"),
        (1.5, "batch_syntax"),
        ([{}], "batch_syntax"),
        ("*2", "batch_growth_first"),
        ("+5 10", "batch_growth_first"),
        ("5 *2 10", "batch_growth_inside"),
        ("5 *2 +3", "batch_growth_inside"),
        ("100% 5", "batch_after_all"),
        ("1 " * 101, "batch_too_many"),
    ],
)
def test_what_is_refused(written: Any, code: str) -> None:
    with pytest.raises(BadBatches) as caught:
        parse_batches(written)
    assert caught.value.reason.code == code


_SIZE = st.one_of(st.integers(1, 400).map(str), st.integers(1, 99).map("{}%".format))
_GROWTH = st.one_of(
    st.just(""), st.just("100%"), st.integers(1, 9).map("*{}".format), st.integers(1, 9).map("+{}".format)
)


@given(st.lists(_SIZE, min_size=1, max_size=5), _GROWTH, st.integers(0, 3000))
def test_every_host_has_its_turn_exactly_once(first: list[str], last: str, hosts: int) -> None:
    found = sizes(" ".join([*first, last]).strip(), hosts)
    assert sum(found) == hosts
    assert all(size > 0 for size in found)


@pytest.mark.parametrize(("written", "expected"), [(0, 0), ("0", 0), (3, 3), ("3", 3), ("2.5%", 5), ("0%", 0)])
def test_amounts(written: Any, expected: int) -> None:
    amount = parse_amount(written)
    assert amount is not None
    assert (amount.down(200) if isinstance(amount, Share) else amount) == expected


@pytest.mark.parametrize("written", ["", "two", -1, True, 1.5, None, "101%", [], "2 %"])
def test_no_amounts(written: Any) -> None:
    assert parse_amount(written) is None


def test_a_share_of_failures_is_rounded_down_and_one_of_hosts_up() -> None:
    share = parse_amount("2%")
    assert isinstance(share, Share)
    assert (share.up(149), share.down(149)) == (3, 2)
