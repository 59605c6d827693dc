"""Give the page the sentences of all errors and reasons, by code: they are said once, here and in the catalogue.

    python tools/page_errors.py            write them into the page's locales
    python tools/page_errors.py --check    exit with 1 if the page says something else

What else stands in the page's files is its own and stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import messages
import plumber_server.app  # noqa: F401  its modules define errors too
from plumber_core.errors import PlumberError
from plumber_core.locales import translate
from plumber_core.reasons import REASONS

LOCALES = Path(__file__).resolve().parents[1] / "src" / "plumber_web" / "frontend" / "src" / "locales"
LANGUAGES = {"en": "en", "zh": "zh-CN"}
ERRORS = "errors.json"


def kinds(root: type[PlumberError] = PlumberError) -> Iterator[type[PlumberError]]:
    """Yield every error of the tree."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def wanted(language: str) -> dict[str, str]:
    """Return the sentences by code; those of other packages' errors are theirs."""
    ours = [kind for kind in kinds() if kind.__module__.startswith("plumber_")]
    return {kind.code: translate(kind.message, language) for kind in ours}


def nouns(language: str) -> dict[str, str]:
    """Return what there is none of, by keys that the page can look up."""
    found = messages.nouns({kind.__name__ for kind in kinds()})
    return {noun.replace(" ", "_"): translate(noun, language) for noun in found}


def reasons(language: str) -> dict[str, str]:
    """Return why requests are refused, by code."""
    return {code: translate(sentence, language) for code, sentence in REASONS.items()}


def text(language: str, name: str) -> str:
    """Return a file of the page as it should be: all reasons, or all errors beside the page's own."""
    file = LOCALES / LANGUAGES[language] / name
    have: dict[str, Any] = json.loads(file.read_text()) if file.exists() and name == ERRORS else {}
    found = {**have, **wanted(language), "kinds": nouns(language)} if name == ERRORS else reasons(language)
    return json.dumps(found, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Write or check; return the exit code."""
    stale = 0
    for (language, folder), name in product(LANGUAGES.items(), (ERRORS, "reasons.json")):
        file, right = LOCALES / folder / name, text(language, name)
        if "--check" not in sys.argv[1:]:
            file.write_text(right)
        elif not file.exists() or file.read_text() != right:
            sys.stdout.write(f"{folder}/{name} is stale: run tools/page_errors.py\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
