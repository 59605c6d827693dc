"""agent.toml: the settings of the plugins that run on this server."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumber_core.errors import StartupError
from plumber_core.plugins.settings import with_whole_path

FILE_NAME = "agent.toml"


def plugin_table(settings: Path | None, config: Path) -> Mapping[str, Any]:
    """Return the ``[plugins]`` table of the settings file, without one that of ``agent.toml`` beside agent.json.

    Its folder of plugins, if it names one, is seen from the file's own place.

    Raises:
        StartupError: it cannot be read or holds anything else.
    """
    file = settings or config.with_name(FILE_NAME)
    if settings is None and not file.exists():
        return {}
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise StartupError(reason=f"{file}: {error}") from None
    for key, value in values.items():
        if key != "plugins" or not isinstance(value, dict):
            raise StartupError(reason=f"{file}: {key} is no setting of an agent; [plugins] is all there is")
    return with_whole_path(values.get("plugins", {}), file.absolute().parent)
