"""Secrets from a folder of files, one a secret: systemd credentials, Docker and Kubernetes secrets.

Settings: ``[plugins.file-secrets] folder = "/run/secrets"``; by default what systemd names, else that.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr

from plumber_core import PluginContext, SecretNotFound, SecretProvider, SecretRef, hookimpl

MAX_BYTES = 1024 * 1024


class Settings(BaseModel):
    """Where the files lie."""

    folder: Path = Field(default_factory=lambda: Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/secrets")))


class FileSecrets(SecretProvider):
    """``file:NAME`` is a file's text without its last line feed, ``file:NAME#KEY`` a value of its JSON object."""

    scheme = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def fetch(self, ref: SecretRef) -> SecretStr:
        """Read the file now; a changed file is seen at once."""
        return SecretStr(_select(ref, await asyncio.to_thread(self._read, ref)))

    def _read(self, ref: SecretRef) -> str:
        if ref.name in (".", "..") or "/" in ref.name or "\0" in ref.name:
            raise SecretNotFound(f"{ref}: the name must be a file's, without a folder")
        try:
            with (self._folder / ref.name).open("rb") as file:
                return file.read(MAX_BYTES).decode().removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SecretNotFound(f"{ref}: {type(error).__name__}") from None


def _select(ref: SecretRef, text: str) -> str:
    if ref.key is None:
        return text
    try:
        return str(json.loads(text)[ref.key])
    except (ValueError, KeyError, TypeError):
        raise SecretNotFound(f"{ref}: no JSON object with this key") from None


@hookimpl
def register_secret_providers(ctx: PluginContext) -> Iterable[SecretProvider]:
    return [FileSecrets(ctx.settings(Settings).folder)]
