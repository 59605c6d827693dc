"""Which lines hold a text: exact whatever the cuts, and without keeping a line however long it is."""

from __future__ import annotations

from plumber_server.log_text import Batch


class _Pending:
    """The unfinished line of a stream: enough of its end to find a text that goes on, or that it has matched."""

    def __init__(self) -> None:
        self.text = ""
        self.matched = False


class Substring:
    """Lines that hold a text, with or without regard to case."""

    def __init__(self, wanted: str, case: bool) -> None:
        self._wanted = wanted if case else wanted.lower()
        self._case = case
        self._pending: dict[int, _Pending] = {}

    def find_all(self, batches: list[Batch]) -> list[int]:
        """Return the numbers of the lines that end in these batches and hold the text."""
        return [number for batch in batches for number in self.find(batch)]

    def find(self, batch: Batch) -> list[int]:
        """Return the numbers of the lines that end in this batch and hold the text."""
        pending = self._pending.setdefault(batch.stream, _Pending())
        text = pending.text + (batch.text if self._case else batch.text.lower())
        hits, position, ordinal = [], 0, 0
        if pending.matched:
            first = text.find("\n")
            if first < 0:
                return []
            hits, position, ordinal = [batch.number(0)], first + 1, 1
        while (found := text.find(self._wanted, position)) >= 0:
            ordinal += text.count("\n", position, found)
            position = text.find("\n", found) + 1
            if not position:
                pending.matched = True
                return hits
            hits.append(batch.number(ordinal))
            ordinal += 1
        pending.matched = False
        pending.text = self._end(text)
        return hits

    def _end(self, text: str) -> str:
        keep = len(self._wanted) - 1
        return text[max(text.rfind("\n") + 1, len(text) - keep) :]
