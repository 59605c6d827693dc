"""Give the page the sentences of all errors, by code: they are said once, in ``errors.py`` and its catalogue.

    python tools/page_errors.py            write them into the page's locales
    python tools/page_errors.py --check    exit with 1 if the page says something else

What else stands in the page's files is its own and stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import plumber_server.app  # noqa: F401  its modules define errors too
from plumber_core.errors import PlumberError
from plumber_core.locales import translate

LOCALES = Path(__file__).resolve().parents[1] / "src" / "plumber_web" / "frontend" / "src" / "locales"
LANGUAGES = {"en": "en", "zh": "zh-CN"}


def kinds(root: type[PlumberError] = PlumberError) -> Iterator[type[PlumberError]]:
    """Yield every error of the tree."""
    yield root
    for kind in root.__subclasses__():
        yield from kinds(kind)


def wanted(language: str) -> dict[str, str]:
    """Return the sentences by code; those of other packages' errors are theirs."""
    ours = [kind for kind in kinds() if kind.__module__.startswith("plumber_")]
    return {kind.code: translate(kind.message, language) for kind in ours}


def text(language: str) -> str:
    """Return a file of the page as it should be."""
    file = LOCALES / LANGUAGES[language] / "errors.json"
    have: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return json.dumps(have | wanted(language), ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Write or check; return the exit code."""
    stale = 0
    for language, folder in LANGUAGES.items():
        file, right = LOCALES / folder / "errors.json", text(language)
        if "--check" not in sys.argv[1:]:
            file.write_text(right)
        elif file.read_text() != right:
            sys.stdout.write(f"{folder}/errors.json is stale: run tools/page_errors.py\n")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
