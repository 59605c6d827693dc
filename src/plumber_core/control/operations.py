"""How an operation is declared: ``@operation("task.apply", action="task:write")`` on a method of a noun's Protocol.

The declarations are the one list: JSON-RPC, OpenAPI, the clients and the reference docs are made from it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])
_MARK = "__plumber_operation__"


@dataclass(frozen=True, slots=True)
class Operation:
    """``name`` is ``<noun>.<verb>``; ``action`` is what authorisers decide about; ``public`` needs no credential;
    ``writes`` says that it changes something."""

    name: str
    action: str
    public: bool
    writes: bool
    attribute: str
    """The noun's attribute of ``ControlPlane``, such as ``tasks``."""
    method: str
    signature: inspect.Signature
    summary: str
    doc: str
    returns: Any

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The operation's parameters by name, with resolved annotations, without ``self``."""
        return {name: p for name, p in self.signature.parameters.items() if name != "self"}


def operation(
    name: str, *, action: str | None = None, public: bool = False, writes: bool = True
) -> Callable[[Method], Method]:
    """Declare a Protocol method as an operation."""

    def mark(method: Method) -> Method:
        setattr(method, _MARK, (name, action or name.replace(".", ":"), public, writes))
        return method

    return mark


def collect(attribute: str, noun: type) -> list[Operation]:
    """Return the operations that a noun's Protocol declares, in order of definition."""
    return [_describe(attribute, method) for method in vars(noun).values() if hasattr(method, _MARK)]


def _describe(attribute: str, method: Callable[..., Any]) -> Operation:
    name, action, public, writes = getattr(method, _MARK)
    hints = typing.get_type_hints(method)
    signature = inspect.signature(method)
    resolved = [p.replace(annotation=hints.get(p.name, p.annotation)) for p in signature.parameters.values()]
    doc = inspect.getdoc(method) or ""
    return Operation(
        name=name,
        action=action,
        public=public,
        writes=writes,
        attribute=attribute,
        method=method.__name__,
        signature=signature.replace(parameters=resolved, return_annotation=hints["return"]),
        summary=doc.partition("\n")[0],
        doc=doc,
        returns=hints["return"],
    )
