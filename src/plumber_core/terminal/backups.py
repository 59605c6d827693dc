"""The bodies of ``backup`` and ``restore``: they work on the database itself, beside or instead of a server."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from plumber_core.config import load_settings
from plumber_core.terminal.console import out, remark
from plumber_core.terminal.language import _
from plumber_core.terminal.options import Flag, Output

DatabaseUrl = Annotated[
    str, Parameter(help=_("The database's address; else that of the server's own settings, such as DATABASE_URL."))
]


async def backup(
    file: Annotated[Path, Parameter(help=_("Where to put the copy; its manifest stands beside it."))],
    /,
    *,
    database: DatabaseUrl = "",
    output: Output = "table",
) -> None:
    """Copy the server's database to a file that only you may read."""
    from plumber_core.storage.backups import back_up

    manifest = await back_up(database or load_settings().database_url, file)
    if output == "json":
        sys.stdout.write(json.dumps({"file": str(file), **asdict(manifest)}) + "\n")
    else:
        out().print(_("Backed up: {file}, epoch {epoch}.", file=file, epoch=manifest.epoch))


async def restore(
    file: Annotated[Path, Parameter(help=_("What backup has written; its manifest must stand beside it."))],
    /,
    *,
    database: DatabaseUrl = "",
    force: Annotated[bool, Flag, Parameter(help=_("Replace a database that holds something."))] = False,
    output: Output = "table",
) -> None:
    """Put a backup in the place of the server's database, and begin a new epoch."""
    from plumber_core.storage.backups import restore as put_back

    epoch = await put_back(database or load_settings().database_url, file, force=force)
    if output == "json":
        sys.stdout.write(json.dumps({"epoch": epoch}) + "\n")
    else:
        out().print(_("Restored; a new epoch begins."))
    remark(_("Start the server: each agent tells what it did meanwhile before it gets new steps."))
