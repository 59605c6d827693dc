"""The process that ``log_regex`` starts: the standard library only, so that it is there in some milliseconds.

Each message is its length and its bytes. The first is ``c`` or ``i`` (case) and the expression; the answer is empty or
why it is none. Every other is lines; the answer is the ordinals of those that match, as C unsigned integers.
"""

from __future__ import annotations

import array
import re
import resource
import struct
import sys
from typing import BinaryIO

SIZE = struct.Struct(">I")
LINE_LIMIT = 16 * 1024
MEMORY = 256 * 1024 * 1024


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until the other end closes."""
    first = _receive(source)
    if first is None:
        return
    try:
        pattern = re.compile(first[1:].decode(), re.IGNORECASE if first[:1] == b"i" else 0)
    except (re.error, RecursionError, OverflowError) as error:
        _send(target, str(error).encode() or b"it is too deep")
        return
    _send(target, b"")
    while (lines := _receive(source)) is not None:
        _send(target, matching(pattern, lines.decode()).tobytes())


def matching(pattern: re.Pattern[str], text: str) -> array.array[int]:
    """Return the ordinals of the lines that match."""
    search = pattern.search
    return array.array(
        "I", (n for n, line in enumerate(text.split("\n")) if search(line.removesuffix("\r")[:LINE_LIMIT]))
    )


def _receive(source: BinaryIO) -> bytes | None:
    head = source.read(SIZE.size)
    return source.read(SIZE.unpack(head)[0]) if len(head) == SIZE.size else None


def _send(target: BinaryIO, data: bytes) -> None:
    target.write(SIZE.pack(len(data)) + data)
    target.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
