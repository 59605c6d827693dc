"""Every number of the protocol and every limit, in one place, each with its reason.

Durations are seconds, sizes bytes.
"""

from __future__ import annotations

HEARTBEAT = 1.0
"""As the original's agents; stretched so that all agents together send at most HEARTBEATS_PER_SECOND."""
HEARTBEATS_PER_SECOND = 500
HEARTBEAT_MAX = 20.0
LEASE_MIN = 30.0
PERMIT_TTL_MIN = 5.0
ONLINE_MIN = 15.0
LOST_AFTER = 15 * 60.0
LONG_POLL = 25.0
SWEEP_INTERVAL = 5.0
"""One sweep per server process stands behind every push: a lost wake-up costs at most this."""
CANCEL_GRACE = 10.0
AGENT_SLOTS = 8
RECONNECTS_PER_SECOND = 1000
RECONNECT_SPREAD_MAX = 10.0
"""After a server's stop agents come back spread over this at most, so that nobody stampedes."""

MAX_TASK_SOURCE = 1024 * 1024
MAX_REQUEST_BODY = 2 * 1024 * 1024
MAX_BATCH = 50
MAX_STEPS = 10_000
MAX_STEP_EXECUTIONS = 200_000
MAX_OUTPUT_VALUES = 64 * 1024
"""Of one attempt's $PLUMBER_OUTPUT file."""
MAX_REPORT_TAIL = 64 * 1024
MAX_PAGE = 500
SESSION_LIFETIME = 7 * 86_400
"""Seconds for which a login lasts."""


def heartbeat_interval(agents: int) -> float:
    """Return the heartbeat interval for a fleet of this size."""
    return min(HEARTBEAT_MAX, max(HEARTBEAT, agents / HEARTBEATS_PER_SECOND))


def permit_ttl(heartbeat: float) -> float:
    """Return how long a permit is good, counted from when the agent sent the renewal it names."""
    return max(PERMIT_TTL_MIN, 1.5 * heartbeat)


def lease(heartbeat: float) -> float:
    """Return how long silence lasts before a running step is called unreachable."""
    return max(LEASE_MIN, 3 * heartbeat)


def online_within(heartbeat: float) -> float:
    """Return how recently an online agent was heard."""
    return max(ONLINE_MIN, 2 * heartbeat)
