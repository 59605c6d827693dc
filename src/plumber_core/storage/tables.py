"""Every table. Times are microseconds since 1970 (``plumber_now()``, the database's clock); ids are text made in
Python (``ids.py``); JSON is text, so that both databases keep exactly what was written. Raw output is bytes.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from plumber_core.model.states import LIVE_STEP_STATES

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
Serial = BigInteger().with_variant(Integer, "sqlite")


def _time(name: str, *, required: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=not required)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _count(name: str, default: int = 0) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=text(str(default)))


meta = Table(
    "meta",
    metadata,
    Column("id", Integer, primary_key=True),
    _count("epoch"),
    _count("fleet_version"),
    _count("accepting_since"),
    _time("created_at", required=True),
    Column("identity", Text),
    _count("known_until"),
)
servers = Table("servers", metadata, Column("id", Text, primary_key=True), _time("seen_at", required=True))
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("term", BigInteger, nullable=False),
    _time("expires_at", required=True),
)
deleted_executions = Table(
    "deleted_executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    _time("deleted_at", required=True),
)
users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    _time("created_at", required=True),
)
credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("secret_hash", Text, nullable=False, unique=True),
    _text("name"),
    _text("data", "{}"),
    _time("created_at", required=True),
    _time("expires_at"),
    _time("last_used_at"),
    _time("used_at"),
    _time("revoked_at"),
    Index("ix_credentials_owner_kind", "owner", "kind"),
)
agents = Table(
    "agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    _text("state", "active"),
    _text("labels", "{}"),
    _text("facts", "{}"),
    _text("version"),
    _count("slots", 8),
    _text("executors", "[]"),
    _flag("original"),
    _time("created_at", required=True),
    _time("last_seen_at"),
    Column("load", Double),
    Column("memory", Double),
    Column("session", Text),
    Column("previous_session", Text),
    _flag("session_used"),
    _count("session_epoch"),
    _count("incarnation"),
    Column("nonce", Text),
    _flag("conflict"),
    Column("boot_id", Text),
    Column("install", Text),
)
target_groups = Table(
    "target_groups",
    metadata,
    Column("name", Text, primary_key=True),
    Column("expression", Text, nullable=False),
    _text("description"),
    Column("updated_by", Text, nullable=False),
    _time("updated_at", required=True),
)
tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    _text("description"),
    _count("revision"),
    _time("created_at", required=True),
    _time("updated_at", required=True),
    _time("deleted_at"),
    Index(
        "uq_tasks_name_alive",
        "name",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
        sqlite_where=text("deleted_at IS NULL"),
    ),
)
revisions = Table(
    "revisions",
    metadata,
    Column("task_id", Text, ForeignKey("tasks.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("format", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("definition", Text, nullable=False),
    Column("digest", Text, nullable=False),
    _text("author"),
    _text("note"),
    _time("created_at", required=True),
)
_OPEN_EXECUTION = text("state IN ('queued', 'running', 'paused')")
executions = Table(
    "executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task_id", Text),
    Column("task", Text, nullable=False),
    Column("revision", BigInteger),
    Column("state", Text, nullable=False),
    Column("plan", Text, nullable=False),
    _text("parameters", "{}"),
    _text("requested_by"),
    _text("reason"),
    Column("request_id", Text, unique=True),
    _time("created_at", required=True),
    _time("ended_at"),
    _count("warnings"),
    Column("problem", Text),
    _flag("cancel_requested"),
    _flag("kill_requested"),
    _count("adopted"),
    Index("ix_executions_task_id_id", "task_id", "id"),
    Index("ix_executions_open", "id", postgresql_where=_OPEN_EXECUTION, sqlite_where=_OPEN_EXECUTION),
    Index("ix_executions_state_id", "state", "id"),
    Index("ix_executions_requested_by_id", "requested_by", "id"),
    _time("deadline_at"),
    _time("queue_timeout"),
    _time("offline_after"),
    _count("round"),
    _count("resumed"),
    _flag("locked"),
    Column("main_state", Text),
    _flag("always_cancelled"),
    _time("paused_at"),
    Column("pause", Text),
    Column("left_out", Text),
)
_OPENS = text("opens_at IS NOT NULL")
progress = Table(
    "progress",
    metadata,
    Column("execution_id", Text, ForeignKey("executions.id"), primary_key=True),
    Column("stage", BigInteger, primary_key=True),
    _count("remaining"),
    _count("failed"),
    _count("control"),
    _count("carried"),
    Column("waits", Text),
    _time("opens_at"),
    _count("missed"),
    Column("outcome", Text),
    Index("ix_progress_opens", "opens_at", postgresql_where=_OPENS, sqlite_where=_OPENS),
)
_LIVE = text("state IN (" + ", ".join(f"'{state}'" for state in sorted(LIVE_STEP_STATES)) + ")")
_READY = text("state = 'ready'")
_FREE = text("state = 'ready' AND pool IS NOT NULL")
_CLAIMED = text("state = 'claimed'")
_RETRY = text("state = 'retry_wait'")
step_executions = Table(
    "step_executions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("execution_id", Text, ForeignKey("executions.id"), nullable=False),
    _count("stage"),
    _count("step"),
    _count("lane"),
    Column("agent_id", Text, nullable=False),
    _count("round"),
    Column("state", Text, nullable=False),
    Column("spec", Text),
    Column("attempt_id", Text),
    _count("attempt_number"),
    _flag("cancel_requested"),
    _time("ready_at"),
    _time("started_at"),
    _time("ended_at"),
    UniqueConstraint("execution_id", "step", "agent_id", "round"),
    Index("ix_step_executions_ready", "agent_id", "ready_at", postgresql_where=_READY, sqlite_where=_READY),
    Index("ix_step_executions_live", "agent_id", postgresql_where=_LIVE, sqlite_where=_LIVE),
    _count("retries"),
    Index("ix_step_executions_retry", "ready_at", postgresql_where=_RETRY, sqlite_where=_RETRY),
    Column("pool", Text),
    Column("cause", Text),
    _flag("locked"),
    Index("ix_step_executions_pool", "pool", "ready_at", postgresql_where=_FREE, sqlite_where=_FREE),
    Index("ix_step_executions_claimed", "attempt_id", postgresql_where=_CLAIMED, sqlite_where=_CLAIMED),
    Column("by_hand", Text),
)
pools = Table("pools", metadata, Column("id", Text, primary_key=True), _time("used_at", required=True))
pool_members = Table(
    "pool_members",
    metadata,
    Column("pool", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True, index=True),
)
_ASKING = text("granted_at IS NULL")
holds = Table(
    "holds",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("holder", Text, nullable=False, index=True),
    Column("execution_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("most", BigInteger),
    _count("priority"),
    Column("overlap", Text),
    Column("most_waiting", BigInteger),
    _time("asked_at", required=True),
    _time("granted_at"),
    Column("refused", Text),
    Index("ix_holds_name_id", "name", "id"),
    Index("ix_holds_asking", "name", postgresql_where=_ASKING, sqlite_where=_ASKING),
)
_UNENDED = text("ended_at IS NULL")
attempts = Table(
    "attempts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("step_execution_id", Text, ForeignKey("step_executions.id"), nullable=False, index=True),
    Column("execution_id", Text, nullable=False, index=True),
    Column("agent_id", Text, nullable=False),
    _count("number"),
    _text("session"),
    _count("beat"),
    _text("boot_id"),
    _count("epoch"),
    _time("started_at", required=True),
    _time("ended_at"),
    Column("state", Text),
    Column("exit_code", BigInteger),
    Column("signal", Integer),
    Column("error", Text),
    _text("detail"),
    Column("duration", Double),
    _text("outputs", "{}"),
    _count("log_end"),
    _count("log_newlines"),
    Column("log_total", BigInteger),
    _text("log_state", "open"),
    Column("outcome", Text),
    Column("late", Text),
    Index("ix_attempts_unended", "agent_id", postgresql_where=_UNENDED, sqlite_where=_UNENDED),
)
strays = Table(
    "strays",
    metadata,
    Column("id", Text, primary_key=True),
    Column("agent_id", Text, nullable=False),
    Column("execution_id", Text, nullable=False),
    _text("task"),
    _text("step"),
    _time("seen_at", required=True),
    Column("outcome", Text),
)
log_chunks = Table(
    "log_chunks",
    metadata,
    Column("attempt_id", Text, primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("stop", BigInteger, nullable=False),
    _count("newlines_before"),
    Column("data", LargeBinary, nullable=False),
)
events = Table(
    "events",
    metadata,
    Column("id", Serial, primary_key=True, autoincrement=True),
    _count("xid"),
    _time("at", required=True),
    Column("kind", Text, nullable=False),
    Column("execution_id", Text),
    Column("agent_id", Text),
    _text("data", "{}"),
    Index("ix_events_xid_id", "xid", "id"),
    Index("ix_events_execution_id_xid_id", "execution_id", "xid", "id"),
)
event_cursors = Table(
    "event_cursors",
    metadata,
    Column("name", Text, primary_key=True),
    _count("xid"),
    _count("event_id"),
    _time("moved_at", required=True),
    _count("failures"),
    _time("failing_since"),
    Column("error", Text),
)
_PENDING = text("state = 'pending'")
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("execution_id", Text),
    _text("facts", "{}"),
    Column("state", Text, nullable=False),
    _count("attempts"),
    Column("error", Text),
    _time("created_at", required=True),
    _time("due_at", required=True),
    _time("ended_at"),
    Index("ix_deliveries_due", "due_at", postgresql_where=_PENDING, sqlite_where=_PENDING),
    Index("ix_deliveries_state_id", "state", "id"),
)
