"""Which server the command line speaks to, and as whom.

``config.toml`` lies in PLUMBER_CONFIG_DIR, else in ``$XDG_CONFIG_HOME/plumber``, else in ``~/.config/plumber``;
only its owner may read it. PLUMBER_URL and PLUMBER_TOKEN win over the file.
"""

from __future__ import annotations

import json
import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from plumber_core.errors import InvalidRequest

FILE = "config.toml"


class NoServer(InvalidRequest):
    """Neither the environment nor the configuration names a server."""

    code = "no_server"
    message = "No server is configured."
    hint = "Log in with `plumber login URL`, or set PLUMBER_URL and PLUMBER_TOKEN."


class BadConfiguration(InvalidRequest):
    """``file`` cannot be read or written: ``reason``."""

    code = "bad_configuration"
    message = "{file} cannot be used: {reason}."
    hint = "Correct it, or remove it and log in again."


@dataclass(frozen=True, slots=True)
class Profile:
    """A server and a credential for it; empty where unknown."""

    url: str = ""
    token: str = ""
    user: str = ""


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the configuration lies."""
    if folder := environment.get("PLUMBER_CONFIG_DIR"):
        return Path(folder) / FILE
    base = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".config"
    return Path(base) / "plumber" / FILE


def stored(environment: Mapping[str, str] = os.environ) -> Profile:
    """Return what the file says.

    Raises: BadConfiguration.
    """
    file = config_file(environment)
    try:
        values = tomllib.loads(file.read_text())
    except FileNotFoundError:
        return Profile()
    except (OSError, ValueError) as error:
        raise BadConfiguration(file=str(file), reason=_reason(error)) from error
    return Profile(**{name: str(values.get(name, "")) for name in asdict(Profile())})


def current(environment: Mapping[str, str] = os.environ) -> Profile:
    """Return the server to speak to.

    A stored token is sent to the server that it was stored for, never to another that PLUMBER_URL names.

    Raises: NoServer, BadConfiguration.
    """
    profile = stored(environment)
    url = environment.get("PLUMBER_URL", "").rstrip("/") or profile.url
    if not url:
        raise NoServer
    own = url == profile.url
    return Profile(url, environment.get("PLUMBER_TOKEN") or (profile.token if own else ""), profile.user if own else "")


def store(profile: Profile, environment: Mapping[str, str] = os.environ) -> Path:
    """Replace the file in one step; return where it lies.

    Raises: BadConfiguration.
    """
    file = config_file(environment)
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in asdict(profile).items() if value)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(file, text)
    except OSError as error:
        raise BadConfiguration(file=str(file), reason=_reason(error)) from error
    return file


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all.

    Raises: OSError.
    """
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
