from __future__ import annotations

import pytest

from plumber_core.runner.wire import Decoder, encode


def test_messages_survive_any_cut() -> None:
    messages = [{"id": 1, "env": {"A": "\udcff ü"}}, {"event": "grew", "end": 1 << 40}]
    data = b"".join(map(encode, messages))
    for cut in range(len(data) + 1):
        decoder = Decoder()
        assert [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])] == messages


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x01{"])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(Decoder().feed(data))
