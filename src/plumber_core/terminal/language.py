"""Sentences in the language of whoever sits at this terminal."""

from __future__ import annotations

import functools

from plumber_core.locales import preferred_language, translate


@functools.cache
def language() -> str:
    """Return the terminal's language; it does not change while a command runs."""
    return preferred_language()


def _(sentence: str, **arguments: object) -> str:
    """Return a sentence (its English text is its identifier) with its arguments filled in."""
    translated = translate(sentence, language())
    return translated.format(**arguments) if arguments else translated


def N_(sentence: str) -> str:
    """Mark a sentence for translation that is shown later, through ``_``."""
    return sentence
