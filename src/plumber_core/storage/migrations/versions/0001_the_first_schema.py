"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# The engine's only clock, and what orders events by when they became visible. SQLite gets the same names on connect.
FUNCTIONS = (
    """CREATE FUNCTION plumber_now() RETURNS bigint LANGUAGE sql VOLATILE
       AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint'""",
    """CREATE FUNCTION plumber_xid() RETURNS bigint LANGUAGE sql VOLATILE
       AS 'SELECT pg_current_xact_id()::text::bigint'""",
    """CREATE FUNCTION plumber_visible() RETURNS bigint LANGUAGE sql STABLE
       AS 'SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint'""",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for function in FUNCTIONS:
            op.execute(function)
    _create_agents()
    _create_credentials()
    _create_events()
    _create_executions()
    _create_log_chunks()
    _create_meta()
    _create_servers()
    _create_tasks()
    _create_users()
    _create_progress()
    _create_revisions()
    _create_step_executions()
    _create_attempts()
    op.execute("INSERT INTO meta (id, epoch, fleet_version, created_at) VALUES (1, 1, 1, plumber_now())")


def _create_agents() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("labels", sa.Text(), server_default="{}", nullable=False),
        sa.Column("facts", sa.Text(), server_default="{}", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("slots", sa.BigInteger(), server_default=sa.text("8"), nullable=False),
        sa.Column("executors", sa.Text(), server_default="[]", nullable=False),
        sa.Column("original", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=True),
        sa.Column("session", sa.Text(), nullable=True),
        sa.Column("previous_session", sa.Text(), nullable=True),
        sa.Column("session_used", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("session_epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("incarnation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=True),
        sa.Column("conflict", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("name", name=op.f("uq_agents_name")),
    )


def _create_credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_credentials_secret_hash")),
    )
    with op.batch_alter_table("credentials", schema=None) as batch_op:
        batch_op.create_index("ix_credentials_owner_kind", ["owner", "kind"], unique=False)


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("xid", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=True),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_execution_id_xid_id", ["execution_id", "xid", "id"], unique=False)
        batch_op.create_index("ix_events_xid_id", ["xid", "id"], unique=False)


def _create_executions() -> None:
    op.create_table(
        "executions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=True),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), server_default="{}", nullable=False),
        sa.Column("requested_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("warnings", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("kill_requested", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
        sa.UniqueConstraint("request_id", name=op.f("uq_executions_request_id")),
    )
    with op.batch_alter_table("executions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_executions_open",
            ["id"],
            unique=False,
            postgresql_where=sa.text("state IN ('queued', 'running', 'paused')"),
            sqlite_where=sa.text("state IN ('queued', 'running', 'paused')"),
        )
        batch_op.create_index("ix_executions_state_id", ["state", "id"], unique=False)
        batch_op.create_index("ix_executions_task_id_id", ["task_id", "id"], unique=False)


def _create_log_chunks() -> None:
    op.create_table(
        "log_chunks",
        sa.Column("attempt_id", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("stop", sa.BigInteger(), nullable=False),
        sa.Column("newlines_before", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("attempt_id", "start", name=op.f("pk_log_chunks")),
    )


def _create_meta() -> None:
    op.create_table(
        "meta",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fleet_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("accepting_since", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meta")),
    )


def _create_servers() -> None:
    op.create_table(
        "servers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_servers")),
    )


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(
            "uq_tasks_name_alive",
            ["name"],
            unique=True,
            postgresql_where=sa.text("deleted_at IS NULL"),
            sqlite_where=sa.text("deleted_at IS NULL"),
        )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )


def _create_progress() -> None:
    op.create_table(
        "progress",
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("control", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["execution_id"], ["executions.id"], name=op.f("fk_progress_execution_id_executions")),
        sa.PrimaryKeyConstraint("execution_id", "stage", name=op.f("pk_progress")),
    )


def _create_revisions() -> None:
    op.create_table(
        "revisions",
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_revisions_task_id_tasks")),
        sa.PrimaryKeyConstraint("task_id", "number", name=op.f("pk_revisions")),
    )


def _create_step_executions() -> None:
    op.create_table(
        "step_executions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lane", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=True),
        sa.Column("attempt_id", sa.Text(), nullable=True),
        sa.Column("attempt_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("ready_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["execution_id"], ["executions.id"], name=op.f("fk_step_executions_execution_id_executions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step_executions")),
        sa.UniqueConstraint(
            "execution_id",
            "step",
            "agent_id",
            "round",
            name=op.f("uq_step_executions_execution_id_step_agent_id_round"),
        ),
    )
    with op.batch_alter_table("step_executions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_step_executions_live",
            ["agent_id"],
            unique=False,
            postgresql_where=sa.text("state IN ('cancelling', 'claimed', 'running', 'unreachable')"),
            sqlite_where=sa.text("state IN ('cancelling', 'claimed', 'running', 'unreachable')"),
        )
        batch_op.create_index(
            "ix_step_executions_ready",
            ["agent_id", "ready_at"],
            unique=False,
            postgresql_where=sa.text("state = 'ready'"),
            sqlite_where=sa.text("state = 'ready'"),
        )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("step_execution_id", sa.Text(), nullable=False),
        sa.Column("execution_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("session", sa.Text(), server_default="", nullable=False),
        sa.Column("beat", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("boot_id", sa.Text(), server_default="", nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        sa.Column("signal", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("duration", sa.Double(), nullable=True),
        sa.Column("outputs", sa.Text(), server_default="{}", nullable=False),
        sa.Column("log_end", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("log_newlines", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("log_total", sa.BigInteger(), nullable=True),
        sa.Column("log_state", sa.Text(), server_default="open", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("late", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["step_execution_id"],
            ["step_executions.id"],
            name=op.f("fk_attempts_step_execution_id_step_executions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_attempts_execution_id"), ["execution_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_attempts_step_execution_id"), ["step_execution_id"], unique=False)
        batch_op.create_index(
            "ix_attempts_unended",
            ["agent_id"],
            unique=False,
            postgresql_where=sa.text("ended_at IS NULL"),
            sqlite_where=sa.text("ended_at IS NULL"),
        )


def downgrade() -> None:
    raise NotImplementedError("this is the first schema")
