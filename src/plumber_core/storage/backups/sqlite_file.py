"""SQLite: its own online copy, which a running server does not notice, and putting a copy in a file's place."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.engine import URL

from plumber_core.crash import crash_point
from plumber_core.errors import Conflict, InvalidRequest, StartupError
from plumber_core.storage.backups.manifest import State, open_private
from plumber_core.storage.backups.rebirth import begin_epoch, state_of
from plumber_core.storage.dialects.sqlite import DatabaseClock
from plumber_core.storage.dialects.sqlite_file import FileLock

PAGES = 2048
"""Copied at once; in between the server may write."""


async def copy(url: URL, target: Path) -> State:
    """Copy the file of a database to ``target``; see ``back_up``."""
    return await asyncio.to_thread(_copy, _file(url), target)


def _copy(path: Path, target: Path) -> State:
    if not path.is_file():
        raise InvalidRequest(field="--database", reason=f"there is no file {path}")
    open_private(target).close()
    with contextlib.ExitStack() as undo:
        undo.callback(target.unlink, missing_ok=True)
        with _connected(path) as original, _connected(target) as copied:
            original.backup(copied, pages=PAGES)
            copied.execute("PRAGMA journal_mode = DELETE")
            if copied.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise InvalidRequest(field=str(path), reason="the database is damaged")
        crash_point("server.backup_copied")
        state = _state(target)
        undo.pop_all()
    return state


def _connected(path: Path) -> contextlib.closing[sqlite3.Connection]:
    return contextlib.closing(sqlite3.connect(path, timeout=10.0))


def _state(path: Path) -> State:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.create_function("plumber_now", 0, DatabaseClock().now)
        found = state_of(connection)
    engine.dispose()
    return found


async def put_back(url: URL, source: Path, *, force: bool) -> int:
    """Put a copy in the place of a database's file; see ``restore``. What was there stays beside it."""
    path = _file(url)
    try:
        lock = FileLock(path)
    except StartupError as error:
        raise Conflict(reason=f"a server uses {path}; stop it first") from error
    draft = path.with_name(f".{path.name}.restoring")
    try:
        before = await asyncio.to_thread(_look_at, path, force=force)
        await asyncio.to_thread(_copy_file, source, draft)
        epoch = await begin_epoch(URL.create("sqlite", database=str(draft)), before)
        await asyncio.to_thread(_replace, path, draft, epoch)
    finally:
        for leftover in (draft, Path(f"{draft}.lock")):
            leftover.unlink(missing_ok=True)
            crash_point("server.restore_tidied")
        lock.release(clean=True)
    return epoch


def _look_at(path: Path, *, force: bool) -> int:
    """Return the epoch of what is there, or 0, and fold its log into it."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    if not force:
        raise Conflict(reason=f"{path} holds a database; with --force it is replaced, and kept beside the new one")
    try:
        with _connected(path) as existing:
            existing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return int(existing.execute("SELECT epoch FROM meta").fetchone()[0])
    except sqlite3.Error:
        return 0  # it may be damaged: perhaps that is why somebody restores


def _copy_file(source: Path, draft: Path) -> None:
    draft.unlink(missing_ok=True)
    with source.open("rb") as read, open_private(draft) as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())
        crash_point("server.restore_copied")


def _replace(path: Path, draft: Path, epoch: int) -> None:
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    crash_point("server.restore_synced")
    if path.exists():
        os.link(path, path.with_name(f"{path.name}.before-{epoch}"))
        crash_point("server.restore_kept")
    for log in (Path(f"{path}-wal"), Path(f"{path}-shm")):
        log.unlink(missing_ok=True)
        crash_point("server.restore_log_removed")
    draft.replace(path)
    crash_point("server.restore_replaced")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    crash_point("server.restore_folder_synced")
    os.close(folder)


def _file(url: URL) -> Path:
    if url.database in (None, "", ":memory:"):
        raise InvalidRequest(field="--database", reason="a database in memory has no file")
    return Path(str(url.database)).absolute()
