"""A command line's first words, as settings and parameters write them."""

from __future__ import annotations

import shlex
from typing import Annotated

from pydantic import AfterValidator, Field


def _checked(text: str) -> str:
    if not shlex.split(text):
        raise ValueError("names no program")
    return text


Words = Annotated[str, Field(min_length=1), AfterValidator(_checked)]
"""Text that splits into words as a shell splits them, such as ``bash -eu``."""
