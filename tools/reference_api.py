"""The generated parts about the API: operations, answers, addresses, errors."""

from __future__ import annotations

import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litestar import Litestar
from pydantic import BaseModel

import plumber_client.config  # noqa: F401 - its errors are part of the tree
from plumber_core.app import Plumber
from plumber_core.control.operations import Operation
from plumber_core.control.plane import NOUNS, operations
from plumber_core.errors import PlumberError, error_classes
from plumber_server.app import create_app
from plumber_server.errors import problem
from plumber_server.original import METHODS
from reference_markdown import code, prose, table, type_name

_CHINESE = Path(__file__).with_name("reference.zh-CN.toml")


class NotTranslated(Exception):
    """A sentence of the reference has no Chinese, or its English has changed since it was translated."""


def operations_in_english() -> str:
    """Return every operation, noun by noun."""
    return "\n\n".join(
        f"### {_noun(attribute)}\n\n{prose(noun.__doc__)}\n\n{_operations(attribute, english=True)}"
        for attribute, noun in NOUNS.items()
    )


def operations_in_chinese() -> str:
    """Return the same in Chinese.

    Raises: NotTranslated.
    """
    return "\n\n".join(
        f"### {_noun(attribute)}\n\n{chinese(prose(noun.__doc__))}\n\n{_operations(attribute, english=False)}"
        for attribute, noun in NOUNS.items()
    )


def _noun(attribute: str) -> str:
    return next(name.partition(".")[0] for name, op in operations().items() if op.attribute == attribute)


def _operations(attribute: str, *, english: bool) -> str:
    head = ("operation", "parameters", "answer", "what it does")
    if not english:
        head = ("操作", "参数", "返回", "作用")
    found = [operation for operation in operations().values() if operation.attribute == attribute]
    return table(head, (_operation(operation, english=english) for operation in found))


def _operation(operation: Operation, *, english: bool) -> tuple[str, ...]:
    about = prose(operation.doc)
    if operation.public:
        about += " Needs no credential."
    name = code(operation.name)
    return name, _parameters(operation), type_name(operation.returns), about if english else chinese(about)


def _parameters(operation: Operation) -> str:
    return "<br>".join(_parameter(name, parameter) for name, parameter in operation.parameters.items())


def _parameter(name: str, parameter: Any) -> str:
    required = parameter.default is parameter.empty
    default = "" if required or parameter.default in (None, "") else f" = {code(parameter.default)}"
    return f"{code(name)}{'' if required else '?'}: {type_name(parameter.annotation)}{default}"


def chinese(english: str) -> str:
    """Return the Chinese of a sentence.

    Raises: NotTranslated.
    """
    known = {entry["en"]: entry["zh"] for entry in tomllib.loads(_CHINESE.read_text())["sentence"]}
    if english not in known:
        raise NotTranslated(f"{_CHINESE.name} has no Chinese for: {english}")
    return str(known[english])


def unused_chinese() -> list[str]:
    """Return the translated sentences that no operation says any more."""
    said = {prose(noun.__doc__) for noun in NOUNS.values()}
    said |= {prose(model.__doc__) for model in _answers()}
    said |= {_operation(operation, english=True)[3] for operation in operations().values()}
    return sorted({entry["en"] for entry in tomllib.loads(_CHINESE.read_text())["sentence"]} - said)


def answers() -> str:
    """Return the fields of every answer."""
    return "\n\n".join(_answer(model, prose(model.__doc__), ("field", "is")) for model in _answers())


def answers_in_chinese() -> str:
    """Return the same in Chinese.

    Raises: NotTranslated.
    """
    return "\n\n".join(_answer(model, chinese(prose(model.__doc__)), ("字段", "类型")) for model in _answers())


def _answer(model: type[BaseModel], about: str, head: tuple[str, str]) -> str:
    fields = model.model_fields.items()
    rows = [(code(name), "list" if _is_generic(field) else type_name(field.annotation)) for name, field in fields]
    return f"### {model.__name__}\n\n{about}\n\n{table(head, rows)}"


def _is_generic(field: Any) -> bool:
    return any(isinstance(argument, typing.TypeVar) for argument in typing.get_args(field.annotation))


def _answers() -> list[type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {}
    for operation in operations().values():
        for model in _models(operation.returns):
            found.setdefault(model.__name__, model)
    return [found[name] for name in sorted(found)]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models in an annotation, and those in their fields."""
    for argument in typing.get_args(annotation):
        yield from _models(argument)
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return
    metadata = annotation.__pydantic_generic_metadata__
    yield metadata["origin"] or annotation
    for argument in metadata["args"]:
        yield from _models(argument)
    for field in annotation.model_fields.values():
        yield from _models(field.annotation)


def original_methods() -> str:
    """Return the original's methods with their parameters."""
    who = {"public": "nobody", "person": "`Authorization: Bearer`", "agent": "`X-Agent-Token`"}
    rows = [
        (code(name), ", ".join(code(f) for f in method.params.model_fields), who[method.access])
        for name, method in METHODS.items()
    ]
    return table(("method", "parameters", "credential"), rows)


def routes() -> str:
    """Return every address of the server but those of the operations."""
    app = create_app(Plumber("sqlite://", local_agent=False))
    found = [row for row in _routes(app) if row[1].strip("`").removeprefix("/api/") not in operations()]
    return table(("method", "address", "who may call it"), sorted(found, key=lambda row: (row[2] == "agent", row[1])))


def _routes(app: Litestar) -> Iterator[tuple[str, str, str]]:
    for route in app.routes:
        handlers: Any = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for handler in handlers:
            if access := handler.opt.get("access"):
                methods = ", ".join(sorted(getattr(handler, "http_methods", None) or [_method(route.path)]))
                yield methods, code(route.path.replace(":str}", "}")), str(access)


def _method(path: str) -> str:
    return "WebSocket" if path.endswith("/ws") else "POST"


def errors() -> str:
    """Return every error code with what it is outside."""
    rows = [_error(code_, kind) for code_, kind in sorted(error_classes().items())]
    return table(("code", "HTTP", "JSON-RPC", "message", "what to do"), rows)


def _error(code_: str, kind: type[PlumberError]) -> tuple[str, ...]:
    outside = problem(kind())
    return code(code_), str(outside.status), str(outside.rpc), kind.message, kind.hint
