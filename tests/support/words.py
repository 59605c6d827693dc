"""What the page says, by the keys of its catalogues, so that a test reads it in the language of its visitor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plumber_web

_LOCALES = Path(plumber_web.__file__).parent / "frontend" / "src" / "locales"


class Words:
    """The sentences of one language: ``words("fleet.add")``, ``words("fleet.tick", name="web-1")``."""

    def __init__(self, language: str) -> None:
        files = (_LOCALES / language).glob("*.json")
        self._texts: dict[str, Any] = {file.stem: json.loads(file.read_text()) for file in files}

    def __call__(self, key: str, **arguments: object) -> str:
        """Return a sentence with its arguments; of its plural forms the last, which is that of many.

        Raises: KeyError.
        """
        text: Any = self._texts
        for part in key.split("."):
            text = text[part]
        sentence = str(text).rpartition(" | ")[2]
        for name, value in arguments.items():
            sentence = sentence.replace(f"{{{name}}}", str(value))
        return sentence
