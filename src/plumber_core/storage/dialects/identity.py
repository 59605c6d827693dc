"""Which database a PostgreSQL connection leads to: a failover that lost commits, or a restore, changes the answer.

The answer is made of the cluster, its timeline (another one begins with each promotion) and the table that holds the
epoch (a restored dump makes a new one). What it was last is kept in that table itself.
"""

from __future__ import annotations

from typing import Any

from plumber_core.crash import crash_point

IDENTITY = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN
  (SELECT system_identifier FROM pg_control_system()) || '-' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
  || '-' || COALESCE(CAST(CAST(to_regclass('meta') AS oid) AS text), '') END"""
"""NULL on a standby, which cannot be written to. (The control file learns of a new timeline only at a checkpoint.)"""
STANDBY = "this PostgreSQL is a read-only standby; wait until it is promoted, or name the primary"

# A number that a database forgot with its last commits must not be given to another epoch: it rises with time.
# Numbers of transactions that another cluster gave would hide their events from everybody who follows.
_RAISE = """
WITH before AS (SELECT identity FROM meta),
raised AS (
  UPDATE meta SET identity = '{identity}',
    epoch = CASE WHEN identity IS NULL THEN epoch ELSE GREATEST(epoch + 1, plumber_now() / 1000) END,
    known_until = CASE WHEN identity IS NULL THEN known_until
      ELSE COALESCE((SELECT at FROM events ORDER BY id DESC LIMIT 1), created_at) END
  WHERE identity IS DISTINCT FROM '{identity}' RETURNING epoch, known_until),
another AS (SELECT epoch FROM raised WHERE (SELECT identity FROM before) IS NOT NULL),
ordered AS (UPDATE events SET xid = 0 WHERE xid >= plumber_xid() AND EXISTS (SELECT 1 FROM another))
INSERT INTO events (xid, at, kind, data)
SELECT plumber_xid(), plumber_now(), 'system.epoch', json_build_object('epoch', epoch)::text FROM another"""


def raise_epoch(cursor: Any, identity: str) -> int:
    """Note in the database which one it is, and return its epoch: a new one unless it is still the same.

    One statement; of several servers that find out at once only one raises the epoch.
    """
    assert identity.replace("-", "").isalnum(), identity
    crash_point("server.epoch.before_commit")
    cursor.execute(_RAISE.format(identity=identity))
    cursor.execute("SELECT epoch FROM meta")
    return int(cursor.fetchone()[0])
