"""PostgreSQL: its own pg_dump and pg_restore, of the server's release or newer."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from plumber_core.crash import crash_point
from plumber_core.errors import Conflict, Unavailable
from plumber_core.storage.backups.manifest import State, open_private
from plumber_core.storage.backups.rebirth import begin_epoch, state_of
from plumber_core.storage.database import connect

_OTHERS = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'plumber' AND pid <> pg_backend_pid()"""
_TABLES = "SELECT to_regclass('meta') IS NOT NULL OR to_regclass('plumber_schema') IS NOT NULL"


async def dump(url: URL, target: Path) -> State:
    """Dump a database to ``target``; see ``back_up``."""
    database = connect(url.render_as_string(hide_password=False))
    await database.open()
    try:
        state = await database.read(state_of)
    finally:
        await database.close()
    open_private(target).close()
    options = ["--format=custom", "--no-owner", "--no-privileges", "--exclude-table-data=servers"]
    try:
        await _run("pg_dump", url, *options, f"--file={target}")
        crash_point("server.backup_dumped")
    except BaseException:
        await asyncio.to_thread(target.unlink, missing_ok=True)
        raise
    return state


async def put_back(url: URL, source: Path, *, force: bool) -> int:
    """Restore a dump; see ``restore``."""
    before = await asyncio.to_thread(_look_at, url, force=force)
    replace = ["--clean", "--if-exists"] if force else []
    options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", *replace]
    await _run("pg_restore", url, *options, str(source))
    crash_point("server.dump_restored")
    return await begin_epoch(url, before)


def _look_at(url: URL, *, force: bool) -> int:
    """Return the epoch of what is there, or 0."""
    import psycopg

    try:
        with psycopg.connect(_address(url), password=url.password, application_name="plumber restore") as connection:
            (others,) = _one(connection, _OTHERS)
            if others:
                raise Conflict(reason=f"{others} connections of servers use the database; stop them first")
            if not _one(connection, _TABLES)[0]:
                return 0
            if not force:
                raise Conflict(reason="the database holds something of Plumber; with --force it is replaced")
            return int(_one(connection, "SELECT epoch FROM meta")[0])
    except psycopg.OperationalError as error:
        raise Unavailable(reason=str(error).strip()) from error


def _one(connection: Any, query: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.execute(query).fetchone()
    return row


def _address(url: URL) -> str:
    """Return the address without its password, which others could read in a command line."""
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string()


async def _run(program: str, url: URL, *arguments: str) -> None:
    found = shutil.which(program)
    if found is None:
        raise Conflict(reason=f"{program} is not installed; it comes with PostgreSQL's client programs")
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    command = [found, f"--dbname={_address(url)}", "--no-password", *arguments]
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise Conflict(reason=f"{program} failed: {' '.join(lines[-3:]) or done.returncode}")
