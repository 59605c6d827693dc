"""Write the generated modules of ``plumber_client``: nouns from ``control/``, sync twins from the async ones.

python tools/generate_client.py            write them
python tools/generate_client.py --check    exit with 1 if one is not up to date
"""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import types
import typing
from pathlib import Path

from plumber_core.control.operations import Operation, collect
from plumber_core.control.plane import NOUNS
from plumber_core.model import notice_views, overviews, resume_views, views
from plumber_core.model.notices import DeliveryState

CLIENT = Path(__file__).resolve().parents[1] / "src" / "plumber_client"
MODULES = (notice_views, overviews, resume_views, views)
NOUNS_TITLE = "Every operation as a method, one class a noun."
CLIENT_TITLE = "``Client``: the control plane of a server, over HTTP."
HEADER = '''"""{title}

Written by ``tools/generate_client.py`` from ``{source}``; do not edit.
"""
{noqa}
from __future__ import annotations

'''
NOUN_IMPORTS = """import builtins
from collections.abc import Awaitable
from typing import Any, Literal, Protocol, TypeVar

from plumber_core.model.notice_views import {notice_views}
from plumber_core.model.overviews import {overviews}
from plumber_core.model.resume_views import {resume_views}
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import {views}

Answer = TypeVar("Answer")


class Call(Protocol):
    \"\"\"Sends an operation and reads its answer.\"\"\"

    def __call__(
        self, operation: str, answer: type[Answer], arguments: dict[str, Any], /
    ) -> Awaitable[Answer]: ...

"""
TO_SYNC = (
    (r"from collections\.abc import Awaitable\n", ""),
    (r"Awaitable\[(\w+)\]", r"\1"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\basyncio\b", "time"),
    (r"\b(AsyncClient|AsyncSession|AsyncTransport|AsyncIterator)\b", lambda m: m[1].removeprefix("Async")),
    (r"\bAsync(Client|Session|Transport|Iterator)\b", r"\1"),
    (r"\b__a(enter|exit)__\b", r"__\1__"),
    (r"\baclose\b", "close"),
    (r"\baread\b", "read"),
    (r"\baiter_bytes\b", "iter_bytes"),
    (r"\b_async_nouns\b", "_sync_nouns"),
    (r"; an async context manager", "; a context manager"),
)


def type_text(annotation: object) -> str:
    """Return an annotation as source; ``list`` is a method of most nouns, hence ``builtins.list``."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is typing.Any:
        return "Any"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(type_text(a) for a in arguments)
    if origin is typing.Literal:
        names: dict[object, str] = {views.SourceFormat: "SourceFormat", DeliveryState: "DeliveryState"}
        return names.get(annotation) or f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None:
        return f"{_type_name(origin)}[{', '.join(type_text(a) for a in arguments)}]"
    return _type_name(typing.cast(type, annotation))


def _type_name(kind: type) -> str:
    if kind is list:
        return "builtins.list"
    if metadata := getattr(kind, "__pydantic_generic_metadata__", {}):
        arguments = ", ".join(type_text(a) for a in metadata["args"])
        name = (metadata["origin"] or kind).__name__
        return f"{name}[{arguments}]" if arguments else name
    return kind.__name__


def method_text(operation: Operation) -> str:
    """Return the method that posts an operation."""
    parameters = [
        f"{name}: {type_text(p.annotation)}" + ("" if p.default is p.empty else f" = {p.default!r}")
        for name, p in operation.parameters.items()
    ]
    listed = ", ".join(["self", "*", *parameters] if parameters else ["self"])
    answer = type_text(operation.returns)
    arguments = ", ".join(f'"{name}": {name}' for name in operation.parameters)
    doc = inspect.cleandoc(operation.doc).replace("\n", "\n        ")
    doc = doc if "\n" not in doc else f"{doc}\n        "
    return (
        f"    async def {operation.method}({listed}) -> {answer}:\n"
        f'        """{doc}"""\n'
        f'        return await self._call("{operation.name}", {answer}, {{{arguments}}})\n'
    )


def noun_text(attribute: str, noun: type) -> str:
    """Return the class of one noun."""
    methods = "\n".join(method_text(operation) for operation in collect(attribute, noun))
    return (
        f'class {noun.__name__}:\n    """{inspect.getdoc(noun)}"""\n\n'
        "    def __init__(self, call: Call) -> None:\n        self._call = call\n\n" + methods
    )


def nouns_text() -> str:
    """Return the module of all nouns, async."""
    body = "\n\n".join(noun_text(attribute, noun) for attribute, noun in NOUNS.items())
    header = HEADER.format(title=NOUNS_TITLE, source="plumber_core/control", noqa="")
    used = {module.__name__.rpartition(".")[2]: _used(module, body) for module in MODULES}
    return header + NOUN_IMPORTS.format(**used) + "\n" + body


def _used(module: types.ModuleType, body: str) -> str:
    """Return the names that a module defines and the body uses; aliases have no module of their own."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    names = {*own, *(name for name in ("SourceFormat", "DeliveryState") if hasattr(module, name))}
    return ", ".join(sorted(name for name in names if re.search(rf"\b{name}\b", body)))


def sync_text(source: str, title: str, origin: str, noqa: str) -> str:
    """Return the sync twin of an async module."""
    body = source.partition("from __future__ import annotations\n\n")[2]
    for pattern, replacement in TO_SYNC:
        body = re.sub(pattern, replacement, body)
    return HEADER.format(title=title, source=origin, noqa=noqa) + body


def formatted(text: str) -> str:
    """Return source as ruff writes it, imports sorted."""
    for command in (["check", "--quiet", "--select", "I,F401", "--fix"], ["format"]):
        text = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(CLIENT / "_generated.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return text


def generate() -> dict[Path, str]:
    """Return every generated module's path and content."""
    nouns = nouns_text()
    client = (CLIENT / "_async.py").read_text()
    return {
        CLIENT / "_async_nouns.py": formatted(nouns),
        CLIENT / "_sync_nouns.py": formatted(sync_text(nouns, NOUNS_TITLE, "_async_nouns.py", "")),
        CLIENT / "_sync.py": formatted(sync_text(client, CLIENT_TITLE, "_async.py", "\n# ruff: noqa: UP028\n")),
    }


def main() -> int:
    """Write or check the modules; return the exit code."""
    stale = [path for path, text in generate().items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        sys.stdout.write("".join(f"stale: {path.name}; run tools/generate_client.py\n" for path in stale))
        return 1 if stale else 0
    for path in stale:
        path.write_text(generate()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
