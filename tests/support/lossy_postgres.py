"""A way to PostgreSQL on which connections die as a commit is answered: it happened, and nobody is told."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from support.standby import Forwarder, Judge

_UNTYPED_AFTER = {80877103, 80877104}
"""Requests for encryption: after each the client says once more who it is."""
COMMITS = (b"COMMIT", b"SELECT count(*) FROM g")
"""In the text of what commits: the end of a transaction, and a guarded write, which is one statement."""


class Client:
    """What one client has said: it is read along, whatever the pieces."""

    def __init__(self) -> None:
        self._data = b""
        self._greeted = False
        self._writes: set[bytes] = set()
        self.commits = False
        """Whether the answer that it waits for is that of a commit."""

    def says(self, data: bytes) -> None:
        """Read what the client sends."""
        self._data += data
        while self._take():
            pass

    def _take(self) -> bool:
        head = 1 if self._greeted else 0
        if len(self._data) < head + 4:
            return False
        length = int.from_bytes(self._data[head : head + 4], "big")
        if len(self._data) < head + length:
            return False
        kind, body = self._data[:head], self._data[head + 4 : head + length]
        self._data = self._data[head + length :]
        if kind:
            self._message(kind, body)
        else:
            self._greeted = int.from_bytes(body[:4], "big") not in _UNTYPED_AFTER
        return True

    def _message(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self.commits = self.commits or body.startswith(COMMITS)
        elif kind == b"P":
            name, _, query = body.partition(b"\0")
            if any(text in query for text in COMMITS):
                self._writes.add(name)
        elif kind == b"B":
            self.commits = self.commits or body.split(b"\0", 2)[1] in self._writes


class LossyForwarder(Forwarder):
    """A forwarder that, while ``losing``, breaks the connection instead of passing on the answer to a commit, one of
    ``every`` by a seeded chance: whoever tries again with so many commits would lose the same one for ever."""

    def __init__(self, target: Callable[[], Path], every: int) -> None:
        super().__init__(target)
        self._every, self._chance = every, random.Random(46)
        self.losing = False
        self.lost = 0
        """Answers up to now."""

    def judge(self) -> Judge:
        client = Client()

        def passes(data: bytes, back: bool) -> bool:
            if not back:
                client.says(data)
                return True
            answered, client.commits = client.commits, False
            if not (answered and self.losing and self._chance.randrange(self._every) == 0):
                return True
            self.lost += 1
            return False

        return passes
