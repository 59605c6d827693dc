"""Which plugins there are: installed ones, and single files in a folder."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plumber_core.errors import StartupError
from plumber_core.plugins.markers import PROJECT


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """An entry point of the group ``plumber``; ``distribution`` is ``name version``, or the path of a single file."""

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


def single_files(folder: Path) -> list[InstalledPlugin]:
    """Return the plugins that are one file each, in order of their names: ``disk_check.py`` is ``disk-check``.

    Files whose names begin with ``_`` or ``.`` are left alone.

    Raises: StartupError (there is no such folder).
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".py" and file.name[0] not in "_.")
    except OSError as error:
        raise StartupError(reason=f"[plugins] folder {folder}: {error.strerror}") from None
    return [InstalledPlugin(file.stem.replace("_", "-"), str(file), functools.partial(_load, file)) for file in files]


def _load(file: Path) -> Any:
    name = f"plumber_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no module")
    module = importlib.util.module_from_spec(spec)
    # Types that are found by their module's name, such as pydantic's, look there.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
