"""Which plugins are installed."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plumber_core.plugins.markers import PROJECT


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """An entry point of the group ``plumber``; ``distribution`` is ``name version``."""

    name: str
    distribution: str
    load: Callable[[], Any]


def installed_plugins() -> list[InstalledPlugin]:
    """Return the installed plugins in order of (name, distribution), not of installation."""
    # Each look at a distribution's name parses its metadata; one may have many entry points.
    named = functools.cache(lambda distribution: f"{distribution.name} {distribution.version}")
    found = {
        (point.name, point.value): InstalledPlugin(point.name, named(point.dist) if point.dist else "", point.load)
        for point in importlib.metadata.entry_points(group=PROJECT)
    }
    return sorted(found.values(), key=lambda plugin: (plugin.name, plugin.distribution))
