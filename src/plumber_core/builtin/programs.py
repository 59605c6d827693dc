"""Executors in any language: programs that speak JSON over stdin and stdout.

Settings: ``[plugins.programs] folder = "/etc/plumber/plugins"``; by default what ``PLUMBER_PLUGIN_FOLDER`` names. Every
executable file in it that is no ``.py`` is an executor: ``disk-free.sh`` is ``uses: disk-free``.

``PROGRAM describe`` prints ``{"summary": "...", "schema": {...}}``, the JSON Schema of its parameters. ``PROGRAM run``
finds ``{"params": {...}}`` on its standard input; what it prints is the step's log, its exit code the step's.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from plumber_core import Command, CommandExecutor, Executor, PluginContext, hookimpl

PATIENCE = 10.0
"""Seconds that a program may take to describe itself."""
LONGEST = 256 * 1024


def _default_folder() -> Path | None:
    named = os.environ.get("PLUMBER_PLUGIN_FOLDER")
    return Path(named) if named else None


class Settings(BaseModel):
    """Where the programs lie."""

    folder: Path | None = Field(default_factory=_default_folder)


class Anything(BaseModel):
    """Parameters that the program itself knows."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Program(CommandExecutor[Anything]):
    """A program as a type of step."""

    kind = ""

    def __init__(self, file: Path) -> None:
        self.kind = file.name.partition(".")[0]  # type: ignore[misc]
        self._file = file.absolute()
        self.Params = _params(self._file)

    def command(self, params: Anything) -> Command:
        """Return the program, with the parameters on its standard input."""
        given = json.dumps({"params": params.model_dump(mode="json")}, ensure_ascii=False)
        return Command((str(self._file), "run"), stdin=given)

    def describe(self) -> str:
        """Return what the program says of itself."""
        return str(_described(self._file, self._file.stat().st_mtime_ns).get("summary", self.kind))


def _params(file: Path) -> type[Anything]:
    class Described(Anything):
        @classmethod
        def model_json_schema(cls, *_: Any, **__: Any) -> dict[str, Any]:
            schema = _described(file, file.stat().st_mtime_ns).get("schema")
            return dict(schema) if isinstance(schema, dict) else {"type": "object", "additionalProperties": True}

    return Described


@functools.lru_cache(maxsize=256)
def _described(file: Path, version: int) -> dict[str, Any]:
    """Ask a program what it is; one that cannot say takes anything, and says why in its summary."""
    try:
        asked = subprocess.run(
            [file, "describe"], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=True
        )
        said = json.loads(asked.stdout[:LONGEST])
        if isinstance(said, dict):
            return said
        reason = "its answer is no JSON object"
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = f"{type(error).__name__}: {error}"
    return {"summary": f"{file.name} describe failed: {reason}"[:500]}


@hookimpl
def register_executors(ctx: PluginContext) -> Iterable[Executor[Any]]:
    """Offer every program of the folder."""
    folder = ctx.settings(Settings).folder
    files = sorted(folder.iterdir()) if folder is not None else []
    return [Program(file) for file in files if _is_program(file)]


def _is_program(file: Path) -> bool:
    return file.suffix != ".py" and file.name[0] not in "_." and file.is_file() and os.access(file, os.X_OK)
