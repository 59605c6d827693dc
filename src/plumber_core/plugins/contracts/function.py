"""``@executor``: the short way to write an executor."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable
from typing import Any

from plumber_core.plugins.contracts.executor import Executor, Outputs
from plumber_core.plugins.contracts.step_context import StepContext

StepFunction = Callable[..., Awaitable[Outputs]]


def executor(kind: str, *, summary: str | None = None) -> Callable[[StepFunction], Executor[Any]]:
    """Make an executor of an async function whose parameters after the context are the step's.

    Args:
        kind: what stands after ``uses:``.
        summary: a format string over the parameters, such as ``"greet {name}"``; the kind if left out.

    Raises:
        TypeError: a plain function, one without a context, or a parameter without a type.
    """

    def decorate(function: StepFunction) -> Executor[Any]:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{_name(function)} is a plain function: write `async def`, or derive from SyncExecutor")
        attributes = {"kind": kind, "__doc__": function.__doc__, "__module__": function.__module__}
        made = type(_name(function), (FunctionExecutor,), attributes)
        return typing.cast("Executor[Any]", made(function, summary or kind))

    return decorate


class FunctionExecutor(Executor[Any]):
    """An executor whose ``run`` is a function."""

    kind = ""

    def __init__(self, function: StepFunction, summary: str) -> None:
        self.function = function
        self.template = summary
        self.Params = _params_of(function)

    def summary(self, params: Any) -> str:
        """Return the summary with the parameters filled in."""
        return self.template.format_map(dict(params))

    async def run(self, ctx: StepContext, params: Any) -> Outputs:
        """Call the function with the parameters by name."""
        return await self.function(ctx, **dict(params))


def _params_of(function: StepFunction) -> Any:
    from pydantic import ConfigDict, create_model

    hints = typing.get_type_hints(function, include_extras=True)
    context, *parameters = inspect.signature(function).parameters.values() or (None,)
    if context is None:
        raise TypeError(f"{_name(function)} needs the context as its first parameter")
    fields: dict[str, Any] = {p.name: _field(function, p, hints) for p in parameters}
    return create_model(f"{_name(function)}_params", __config__=ConfigDict(extra="forbid"), **fields)


def _field(function: StepFunction, parameter: inspect.Parameter, hints: dict[str, Any]) -> tuple[Any, Any]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        raise TypeError(f"{_name(function)}: parameter {parameter.name} must be an ordinary one with a name")
    if parameter.name not in hints:
        raise TypeError(f"{_name(function)}: parameter {parameter.name} needs a type")
    default = ... if parameter.default is parameter.empty else parameter.default
    return hints[parameter.name], default


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))
