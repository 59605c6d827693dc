"""Keep the message catalogue complete: collect every sentence for people, and compile the translations.

    python tools/messages.py            add new sentences to the catalogue, drop old ones, compile
    python tools/messages.py --check    exit with 1 if a sentence is missing, untranslated or not compiled

Sentences are the first argument of ``_``, ``N_`` and ``translate``; ``message`` and ``hint`` of classes; the constant
``reason`` and ``kind`` of an error; and the tables of ``model/sentences.py``.
"""

from __future__ import annotations

import ast
import io
import string
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src"
DEMO = (ROOT / "tools" / "demo.py", ROOT / "tools" / "demo_parts.py")
"""The tools that newcomers meet."""
FOLDER = SOURCES / "plumber_core" / "locales" / "zh" / "LC_MESSAGES"
PO, MO = FOLDER / "plumber.po", FOLDER / "plumber.mo"
MARKERS = {"_", "N_", "translate"}
CLASS_SENTENCES = {"message", "hint"}
ARGUMENTS = {"reason", "kind"}
TABLES = {"SOURCE", "KEYS", "RULES", "EXPRESSIONS", "REASONS"}
# One fixed moment: a catalogue that nobody changed must not differ from itself.
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def sentences(*places: Path) -> set[str]:
    """Return every sentence in these files and folders; by default in all that speak to people."""
    found: set[str] = set()
    for file in (file for place in places or (SOURCES, *DEMO) for file in _files(place)):
        found.update(text for text in _of_tree(ast.parse(file.read_text())) if text.strip())
    return found


def _files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


def nouns(errors: set[str], folder: Path = SOURCES) -> set[str]:
    """Return what errors of these names call the things that they are about: their constant ``kind``."""
    nodes = (node for file in folder.rglob("*.py") for node in ast.walk(ast.parse(file.read_text())))
    calls = (node for node in nodes if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors)
    kinds = (one.value for call in calls for one in call.keywords if one.arg == "kind")
    return {text for kind in kinds for text in _text(kind)}


def _of_tree(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.AnnAssign | ast.Assign) and _names(node) & TABLES:
            yield from _of_table(node)
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                yield from _of_class_statement(statement)


def _names(statement: ast.AnnAssign | ast.Assign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {getattr(target, "id", "") for target in targets}


def _of_table(statement: ast.AnnAssign | ast.Assign) -> Iterator[str]:
    values = statement.value.values if isinstance(statement.value, ast.Dict) else []
    for value in values:
        yield from _text(value)


def _of_call(call: ast.Call) -> Iterator[str]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in MARKERS and call.args:
        yield from _text(call.args[0])
    for keyword in call.keywords:
        if keyword.arg in ARGUMENTS and name[:1].isupper():
            yield from _text(keyword.value)


def _of_class_statement(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.AnnAssign | ast.Assign) and _names(statement) & CLASS_SENTENCES and statement.value:
        yield from _text(statement.value)


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def fields(sentence: str) -> set[str]:
    """Return the names of a sentence's placeholders."""
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def load() -> dict[str, str]:
    """Return the translations by sentence."""
    if not PO.exists():
        return {}
    with PO.open("rb") as stream:
        return {str(m.id): str(m.string) for m in read_po(stream, locale="zh") if m.id}


def catalogue(translations: dict[str, str]) -> Catalog:
    """Return a catalogue with these entries, in order."""
    made = Catalog(
        locale="zh", project="plumber", version="1", charset="utf-8", fuzzy=False,
        header_comment="# Plumber in Chinese. New sentences come from tools/messages.py.",
        creation_date=MOMENT, revision_date=MOMENT, last_translator="", language_team="",
    )  # fmt: skip
    for sentence in sorted(translations):
        made.add(sentence, translations[sentence])
    return made


def compiled(translations: dict[str, str]) -> bytes:
    """Return the compiled catalogue."""
    buffer = io.BytesIO()
    write_mo(buffer, catalogue(translations))
    return buffer.getvalue()


def problems() -> list[str]:
    """Return what is wrong with the catalogue, sentence by sentence."""
    wanted, have = sentences(), load()
    found = [f"not in the catalogue: {s!r}" for s in sorted(wanted - have.keys())]
    found += [f"no longer used: {s!r}" for s in sorted(have.keys() - wanted)]
    found += [f"not translated: {s!r}" for s in sorted(wanted & have.keys()) if not have[s]]
    found += [f"other placeholders: {s!r}" for s, zh in sorted(have.items()) if zh and fields(s) != fields(zh)]
    if not MO.exists() or MO.read_bytes() != compiled(have):
        found.append("plumber.mo is not compiled from plumber.po")
    return found


def update() -> None:
    """Bring both files up to date."""
    have = load()
    translations = {sentence: have.get(sentence, "") for sentence in sentences()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as stream:
        write_po(stream, catalogue(translations), width=0)
    MO.write_bytes(compiled(translations))


def main() -> int:
    """Update or check; return the exit code."""
    if "--check" not in sys.argv[1:]:
        update()
    found = problems()
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
