"""Secrets on the last metres: fetched in the executor host, told to the supervisor as what to hide, then used."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import SecretStr

from plumber_core.plugins.contracts.secret_provider import SecretNotFound, SecretProvider, SecretRef
from plumber_core.plugins.manager import PluginManager
from plumber_core.runner.hiding import MASKS_VARIABLE
from plumber_core.runner.masks import SEPARATOR
from plumber_core.runner.needles import SHORTEST, needles_of

MASKS_FD = 3
"""Where the supervisor listens for what to hide; it reads no output before that pipe is closed."""
PATIENCE = 30.0
LARGEST = 64 * 1024


class NoSecret(Exception):
    """A secret cannot be had; the sentence is for the step's log."""

    def __init__(self, name: str, reference: SecretRef, reason: str) -> None:
        super().__init__(f"secret {name} ({reference}): {reason}")


def fetch_secrets(manager: PluginManager, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the present values of secrets: environment variable -> reference becomes variable -> value.

    Raises:
        NoSecret: names the variable, the reference and why; never a value.
    """
    providers = {entry.name: entry.item for entry in manager.secret_providers()}
    references = {name: SecretRef.parse(text) for name, text in wanted.items()}
    for name, reference in references.items():
        if reference.scheme not in providers:
            reason = f"no plugin here offers the scheme {reference.scheme}"
            raise NoSecret(name, reference, reason)
    return asyncio.run(_fetch_all(providers, references))


async def _fetch_all(providers: Mapping[str, SecretProvider], references: Mapping[str, SecretRef]) -> dict[str, str]:
    values = {}
    for scheme in sorted({reference.scheme for reference in references.values()}):
        provider = providers[scheme]
        mine = {name: reference for name, reference in references.items() if reference.scheme == scheme}
        first = next(iter(mine.items()))
        await _asked(provider.open(), *first)
        try:
            for name, reference in mine.items():
                values[name] = _checked(await _asked(provider.fetch(reference), name, reference), name, reference)
        finally:
            await _asked(provider.close(), *first)
    return values


async def _asked(work: Any, name: str, reference: SecretRef) -> Any:
    """Wait for a provider; what it raises may hold a value, so only the kind of that is told."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await work
    except SecretNotFound:
        reason = "there is no such secret"
    except TimeoutError:
        reason = f"its provider has not answered within {PATIENCE:g} s"
    except Exception as error:
        reason = f"its provider failed: {type(error).__name__}"
    raise NoSecret(name, reference, reason)


def _checked(value: Any, name: str, reference: SecretRef) -> str:
    if not isinstance(value, SecretStr):
        reason = f"its provider returned {type(value).__name__} instead of SecretStr"
        raise NoSecret(name, reference, reason)
    text = value.get_secret_value()
    if "\0" in text or len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise NoSecret(name, reference, "no environment can carry it")
    return text


def tell_masks(values: Iterable[str]) -> None:
    """Have the supervisor hide values from now on; without one that listens there is no log to keep clean."""
    if os.environ.pop(MASKS_VARIABLE, None) is None:
        return
    rest = memoryview(SEPARATOR.join(needles_of(values)))
    while rest:
        rest = rest[os.write(MASKS_FD, rest) :]
    os.close(MASKS_FD)


def too_short(values: Mapping[str, str]) -> list[str]:
    """Return the names of secrets that are too short to be hidden."""
    return sorted(name for name, value in values.items() if len(value.strip().encode("utf-8", "replace")) < SHORTEST)


def filled_in(params: Any, places: Iterable[Any], values: Mapping[str, str]) -> Any:
    """Return parameters with their secrets in the places that the control plane names; see ``planning.hidden``."""
    for path, parts in places:
        text = "".join(part if isinstance(part, str) else values[part["secret"]] for part in parts)
        params = _replaced(params, path, text)
    return params


def _replaced(value: Any, path: list[Any], text: str) -> Any:
    if not path:
        return text
    key, rest = path[0], path[1:]
    if isinstance(value, list):
        return [_replaced(item, rest, text) if index == key else item for index, item in enumerate(value)]
    return {**value, key: _replaced(value[key], rest, text)}
