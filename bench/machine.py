"""What the numbers were measured on, in general terms."""

from __future__ import annotations

import os
import platform
from typing import Any

import psutil
import psycopg


def describe(database_url: str) -> dict[str, Any]:
    """Return the machine, the versions, and how durable the database is."""
    with psycopg.connect(database_url) as connection:
        settings = {name: _setting(connection, name) for name in ("server_version", "fsync", "synchronous_commit")}
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
        **settings,
    }


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""
