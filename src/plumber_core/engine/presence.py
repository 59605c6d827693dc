"""Whether an agent is there, from when it was last heard."""

from __future__ import annotations

from plumber_core.model import limits
from plumber_core.model.states import Presence


def presence(seen_at: int | None, now: int, heartbeat: float) -> Presence:
    """Derive presence from when an agent was last heard."""
    if seen_at is None:
        return Presence.OFFLINE
    silence = (now - seen_at) / 1_000_000
    if silence <= limits.online_within(heartbeat):
        return Presence.ONLINE
    return Presence.LATE if silence <= max(limits.LEASE_MIN, 3 * heartbeat) else Presence.OFFLINE
