"""Channels that a task names must exist."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from plumber_core.model.notices import OCCASIONS
from plumber_core.planning.document import Path
from plumber_core.planning.problems import Report, nearest


def check_channels(task: dict[str, Any], channels: Collection[str], report: Report) -> None:
    """Report channels that the server does not have."""
    for name, path in _named(task.get("notify")):
        if name not in channels:
            report.add("unknown_channel", path, name=name, nearest=nearest(name, channels))


def _named(notify: Any) -> Iterator[tuple[str, Path]]:
    for occasion in OCCASIONS if isinstance(notify, dict) else ():
        names = notify.get(occasion)
        if isinstance(names, str):
            yield names, ("notify", occasion)
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str):
                yield name, ("notify", occasion, index)
