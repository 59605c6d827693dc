"""SHA-256 and length of each stream of one attempt's log, fed with frames as they come by."""

from __future__ import annotations

import hashlib

from plumber_core.protocol.frames import HEADER, STDERR, STDOUT


class LogDigest:
    """``position`` is the offset up to which the log has been fed; it always lies between two frames."""

    __slots__ = ("_hashes", "_lengths", "position")

    def __init__(self) -> None:
        self.position = 0
        self._hashes = {STDOUT: hashlib.sha256(), STDERR: hashlib.sha256()}
        self._lengths = {STDOUT: 0, STDERR: 0}

    def feed(self, offset: int, data: bytes) -> None:
        """Take whole frames that start at ``offset``; what was fed before is passed over, a gap is ignored."""
        skip = self.position - offset
        if not 0 <= skip < len(data):
            return
        view, at, end = memoryview(data), skip, len(data)
        while at < end:
            stream, _, length = HEADER.unpack_from(view, at)
            at += HEADER.size
            if stream in self._hashes:
                self._hashes[stream].update(view[at : at + length])
                self._lengths[stream] += length
            at += length
        self.position = offset + end

    def length(self, stream: int) -> int:
        """Return the number of payload bytes of a stream."""
        return self._lengths[stream]

    def hexdigest(self, stream: int) -> str:
        """Return the SHA-256 of a stream's payload bytes."""
        return self._hashes[stream].hexdigest()

    def matches(self, stdout: str, stderr: str) -> bool:
        """Compare with digests in hexadecimal; an empty one is not known and matches."""
        told = {STDOUT: stdout, STDERR: stderr}
        return all(not told[stream] or told[stream] == self.hexdigest(stream) for stream in told)
