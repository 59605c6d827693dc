"""Every number of the protocol and every limit, in one place, each with its reason.

Durations are seconds, sizes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

HEARTBEAT = 1.0
"""As the original's agents; stretched so that all agents together send at most HEARTBEATS_PER_SECOND."""
HEARTBEATS_PER_SECOND = 500
HEARTBEAT_MAX = 20.0
LEASE_MIN = 30.0
PERMIT_TTL_MIN = 5.0
ONLINE_MIN = 15.0
LOST_AFTER = 15 * 60.0
STOP_AFTER_MIN = 2 * LEASE_MIN
STOP_MARGIN = 5.0
CLOCK_DRIFT = 1.05
"""An agent's clock may be this much slower than the database's: a command that its agent had to end after T has ended
T * CLOCK_DRIFT + STOP_MARGIN after its agent was last heard."""
OUT_OF_TIME, ALWAYS_OUT_OF_TIME = "execution_timeout", "always_timeout"
"""The problem of an execution whose time is over."""
LONG_POLL = 25.0
SWEEP_INTERVAL = 5.0
"""One sweep per server process stands behind every push: a lost wake-up costs at most this."""
CANCEL_GRACE = 10.0
ALWAYS_TIMEOUT = 600.0
"""Of a step that always runs and names none, so that a cancelled execution ends."""
AGENT_SLOTS = 8
SPOOL_CAP_AGENT = 2 * 1024**3
DISK_FREE_SHARE, DISK_FREE = 0.05, 2 * 1024**3
"""An agent takes no steps while its attempts hold more output than this, or while less of its disk is free: a share,
and on large disks no more than its own output could take."""
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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server waits for the silent, in seconds: the settings of the same names."""

    lease: float = LEASE_MIN
    lost_after: float = LOST_AFTER
    sweep_interval: float = SWEEP_INTERVAL

    def lease_at(self, heartbeat: float) -> float:
        """Return how long silence lasts before a running step is called unreachable."""
        return max(self.lease, 3 * heartbeat)


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of executions that have ended: the settings ``retention_*``."""

    days: float = 90.0
    """Younger ones are kept; 0 keeps all."""
    last: int = 20
    """Of each task, so many are kept whatever their age."""


def online_within(heartbeat: float) -> float:
    """Return how recently an online agent was heard."""
    return max(ONLINE_MIN, 2 * heartbeat)
