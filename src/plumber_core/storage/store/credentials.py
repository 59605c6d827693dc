"""One way to add a credential, for users, programs and agents."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from plumber_core.ids import new_id
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import dumps, microseconds, now


def insert_credential(
    connection: Connection,
    kind: str,
    owner: str,
    secret: str,
    *,
    name: str,
    seconds: float | None,
    data: dict[str, Any],
) -> str:
    """Insert a credential in the caller's transaction and return its id."""
    id_ = new_id()
    expires = None if seconds is None else now() + microseconds(seconds)
    connection.execute(
        t.credentials.insert().values(
            id=id_,
            kind=kind,
            owner=owner,
            secret_hash=secret,
            name=name,
            data=dumps(data),
            created_at=now(),
            expires_at=expires,
        )
    )
    return id_
