"""``SqlStore``: the one implementation of ``ports.Store``, a mixin per noun."""

from __future__ import annotations

from plumber_core.storage.store.sql_store import SqlStore

__all__ = ["SqlStore"]
