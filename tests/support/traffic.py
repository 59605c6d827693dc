"""What a page costs: requests and bytes on the wire, elements, and the memory of its scripts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from plumber_core.protocol.frames import STDOUT, encode_frame

LINE = 100
"""Bytes of each of ``numbered_lines``."""


@dataclass
class Loaded:
    """One request: ``size`` is bytes on the wire with headers, None while they come."""

    path: str
    kind: str
    size: int | None = None


@dataclass
class Traffic:
    """Requests of one page, told by the browser itself: give its session ``EVENTS`` and ``Network.enable``."""

    requests: dict[str, Loaded] = field(default_factory=dict)

    def attach(self, session: Any) -> None:
        """Listen to a session of the browser's own protocol, of either flavour of Playwright."""
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFinished", self._finished)

    def _sent(self, event: Any) -> None:
        path = urlsplit(event["request"]["url"]).path
        self.requests[event["requestId"]] = Loaded(path, event.get("type", "Other"))

    def _finished(self, event: Any) -> None:
        if event["requestId"] in self.requests:
            self.requests[event["requestId"]].size = int(event["encodedDataLength"])

    def of(self, begin: str = "/", kind: str = "") -> list[Loaded]:
        """Return the requests below a path, of one kind."""
        found = self.requests.values()
        return [one for one in found if one.path.startswith(begin) and kind in ("", one.kind)]

    def bytes(self, begin: str = "/", kind: str = "") -> int:
        """Return what came for them so far."""
        return sum(one.size or 0 for one in self.of(begin, kind))

    def forget(self) -> None:
        """Count anew."""
        self.requests.clear()


def numbered_lines(first: int, stop: int, at_once: int = 640) -> Iterator[bytes]:
    """Yield frames of about 64 KB: lines of ``LINE`` bytes, each beginning with its number from 1."""
    rest = b" " + b"x" * (LINE - 11) + b"\n"
    for begin in range(first, stop, at_once):
        lines = [b"%09d" % (number + 1) + rest for number in range(begin, min(begin + at_once, stop))]
        yield encode_frame(STDOUT, begin // 1000, b"".join(lines))


def joined(frames: Iterator[bytes], at_once: int = 15) -> Iterator[bytes]:
    """Join frames into chunks as agents send them, just below 1 MB."""
    while chunk := b"".join(itertools.islice(frames, at_once)):
        yield chunk
