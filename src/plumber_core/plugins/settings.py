"""The ``[plugins]`` table of the configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from plumber_core.errors import StartupError

DISABLE_VARIABLE = "PLUMBER_DISABLE_PLUGINS"
FOLDER_VARIABLE = "PLUMBER_PLUGIN_FOLDER"
RESERVED = frozenset({"enabled", "disabled", "folder", "order"})
"""Keys of ``[plugins]`` that are no plugin's table."""


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Which plugins load, in which order their objects stand, and each plugin's own table.

    ``enabled`` None loads all that are installed. ``folder`` holds plugins of one file each. ``order`` is by plural
    noun, such as ``authenticators``.
    """

    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    enabled: frozenset[str] | None = None
    disabled: frozenset[str] = frozenset()
    folder: Path | None = None
    order: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Self:
        """Read the ``[plugins]`` table, ``PLUMBER_DISABLE_PLUGINS`` (names with commas between) and
        ``PLUMBER_PLUGIN_FOLDER``.

        Raises:
            StartupError: a key that is neither a setting nor a plugin's table.
        """
        variables = os.environ if environment is None else environment
        variable, folder = variables.get(DISABLE_VARIABLE, ""), variables.get(FOLDER_VARIABLE) or table.get("folder")
        if folder is not None and not isinstance(folder, str):
            raise StartupError(reason="[plugins] folder: expected a path")
        order = _table("order", table.get("order", {}))
        named = {name.strip() for name in variable.split(",")} - {""}
        return cls(
            tables={name: _table(name, value) for name, value in table.items() if name not in RESERVED},
            enabled=frozenset(_names(table, "enabled")) if "enabled" in table else None,
            disabled=frozenset(named | set(_names(table, "disabled"))),
            folder=Path(folder) if folder else None,
            order={noun: _names(order, noun) for noun in order},
        )

    def loads(self, plugin: str, distribution: str) -> bool:
        """Say whether a plugin is wanted, by its own name or by its distribution's."""
        names = {plugin, distribution.partition(" ")[0]}
        return not names & self.disabled and (self.enabled is None or bool(names & self.enabled))

    def position(self, noun: str, name: str) -> tuple[int, str]:
        """Return the sort key of an object: its place in the configured order, then its name."""
        order = list(self.order.get(noun, ()))
        return (order.index(name) if name in order else len(order), name)


def with_whole_path(table: Mapping[str, Any], near: Path) -> Mapping[str, Any]:
    """Return a ``[plugins]`` table whose folder is seen from a place: executors run in folders of their own."""
    folder = table.get("folder")
    return {**table, "folder": str(near / folder)} if isinstance(folder, str) and folder else table


def _table(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise StartupError(reason=f"[plugins] {name}: expected a table")
    return value


def _names(table: Mapping[str, Any], key: str) -> list[str]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise StartupError(reason=f"[plugins] {key}: expected a list of names")
    return value
