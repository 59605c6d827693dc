"""Long tests are spread over the workers."""

from __future__ import annotations

import pytest

from support.spreading import spread


@pytest.mark.parametrize(
    ("long", "others", "expected"),
    [
        ("", "abc", "abc"),
        ("X", "abc", "Xabc"),
        ("XY", "abcd", "XabYcd"),
        ("XYZ", "abcdefg", "XabYcdZefg"),
        ("XYZ", "a", "XYZa"),
    ],
)
def test_long_ones_stand_at_equal_distances_the_first_at_the_front(long: str, others: str, expected: str) -> None:
    assert "".join(spread(list(long), list(others))) == expected
