"""Backups: a whole copy of the database with a manifest beside it, and the way back.

A copy is older than the world, so a restore always begins a new epoch: each agent tells what it did meanwhile before it
gets anything to do.
"""

from __future__ import annotations

from pathlib import Path

from plumber_core.errors import Conflict, InvalidRequest
from plumber_core.storage.backups import postgres_dump, sqlite_file
from plumber_core.storage.backups.manifest import Manifest, beside, check, describe
from plumber_core.storage.database import connect, parse_url

__all__ = ["Manifest", "back_up", "restore"]


async def back_up(database_url: str, target: Path) -> Manifest:
    """Copy a database, which may be in use, to a file that is not there yet, and write its manifest beside it.

    Raises:
        Conflict: there is such a file, or a program that is needed is missing or too old.
        InvalidRequest: there is no such database.
        BadDatabaseUrl, Unavailable.
    """
    url = parse_url(database_url)
    for path in (target, beside(target)):
        if path.exists():
            raise Conflict(reason=f"{path} exists already and is not overwritten")
    if connect(database_url).dialect == "sqlite":
        state = await sqlite_file.copy(url, target)
    else:
        state = await postgres_dump.dump(url, target)
    return describe(target, state)


async def restore(database_url: str, source: Path, *, force: bool) -> int:
    """Put a backup in the place of a database that no server uses, and return the new epoch.

    Args:
        database_url: of the same kind as the one that was copied.
        source: the file that ``back_up`` wrote.
        force: replace a database that holds something.

    Raises:
        InvalidRequest: the backup is damaged, of another kind, or has no manifest.
        Conflict: a server runs, the database is not empty, or a program that is needed is missing or too old.
        SchemaTooNew, BadDatabaseUrl, Unavailable.
    """
    url, manifest = parse_url(database_url), check(source)
    dialect = connect(database_url).dialect
    if manifest.dialect != dialect:
        raise InvalidRequest(field=str(source), reason=f"it is a copy of {manifest.dialect}, the database is {dialect}")
    put_back = sqlite_file.put_back if dialect == "sqlite" else postgres_dump.put_back
    return await put_back(url, source, force=force)
