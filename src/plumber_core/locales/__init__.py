"""Sentences for people, in English and Chinese (gettext catalogues beside this file)."""

from __future__ import annotations

import functools
import gettext
import os
from pathlib import Path

DOMAIN = "plumber"
LANGUAGES = ("en", "zh")


@functools.cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, Path(__file__).parent, languages=[language], fallback=True)


def translate(sentence: str, language: str = "en") -> str:
    """Return ``sentence`` (its English text is its identifier) in ``language``, or unchanged."""
    if not sentence or language not in LANGUAGES:
        return sentence
    return _catalogue(language).gettext(sentence)


def preferred_language(environment: dict[str, str] | None = None) -> str:
    """Return ``zh`` or ``en`` as LC_ALL, LC_MESSAGES, LANGUAGE and LANG ask, as gettext does."""
    values = os.environ if environment is None else environment
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := values.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
