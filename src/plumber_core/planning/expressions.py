"""``${{ ... }}``: what stands inside is CEL (common expression language). The one module that knows the library.

An expression has no side effects, no clock and no unbounded loop. ``steps.NAME`` may be written for any name of a
step: names are turned into ``steps["NAME"]`` before CEL sees them, so that ``steps.roll out.outputs.x`` works too.
"""

from __future__ import annotations

import functools
import importlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from plumber_core.reasons import because

MAX_LENGTH = 1000
MAX_LOOPS = 1
"""A loop in a loop over long lists would keep a server busy."""
OPENING = "${{"
ROOTS = frozenset({"params", "steps", "agent", "secrets"})
_LOOPS = frozenset({"map", "filter", "all", "exists", "exists_one"})
_ON_VALUES = frozenset({"size", "contains", "startsWith", "endsWith", "matches"})
_CONVERSIONS = frozenset({"string", "int", "uint", "double", "bytes", "type", "dyn", "timestamp", "duration"})
_OF_TIMES = frozenset(f"get{part}" for part in ("FullYear", "Month", "Date", "Hours", "Minutes", "Seconds"))
_OF_DAYS = frozenset(f"getDayOf{part}" for part in ("Month", "Week", "Year"))
FUNCTIONS = _ON_VALUES | _CONVERSIONS | _OF_TIMES | _OF_DAYS
_TOKEN = re.compile(
    r"""(?P<string>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<number>[0-9][0-9A-Za-z.]*)|(?P<space>\s+)|(?P<mark>.)""",
    re.DOTALL,
)
_LOOSE_NAME = re.compile(r"\s*\.\s*([\w][\w .\-/]{0,199}?)\s*(?=\.\s*(?:outputs|hosts)\b|\[)")


class ExpressionError(Exception):
    """``code`` is one of ``model.sentences.EXPRESSIONS``; ``name`` what it is about, ``known`` what there is."""

    def __init__(self, code: str, **arguments: Any) -> None:
        self.code = code
        self.arguments = arguments
        super().__init__(code, arguments)


class EvaluationError(Exception):
    """``reason`` is for people; ``missing`` the key that was not there, if that was it."""

    def __init__(self, reason: str, missing: str | None = None) -> None:
        self.reason = reason
        self.missing = missing
        super().__init__(reason)


@dataclass(frozen=True)
class Expression:
    """A compiled expression and what it reads.

    ``steps`` are names of steps, ``outputs`` pairs of step and key, ``hosts`` the steps that are asked for outputs of
    named hosts, ``params`` names of parameters.
    """

    source: str
    program: Any = field(repr=False, compare=False)
    roots: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    outputs: frozenset[tuple[str, str]] = frozenset()
    hosts: frozenset[str] = frozenset()
    params: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    """What it calls of the functions that only some places have."""


@functools.lru_cache(maxsize=4096)
def compile_expression(source: str, functions: frozenset[str] = frozenset()) -> Expression:
    """Return the compiled expression; ``functions`` are known where it stands beside those that all know.

    Raises: ExpressionError.
    """
    if len(source) > MAX_LENGTH:
        raise ExpressionError("expression_too_large", limit=MAX_LENGTH, unit=because("unit_characters"))
    source = _with_quoted_names(source).strip()
    if not source:
        raise ExpressionError("bad_expression", reason=because("empty"))
    try:
        program = _cel().compile(source)
    except ValueError as error:
        raise ExpressionError("bad_expression", reason=_reason(error)) from None
    tokens = [match for match in _TOKEN.finditer(source) if match.lastgroup != "space"]
    bound = _loop_variables(tokens)
    _check_names(program, bound, functions)
    steps, outputs, hosts = _step_references(tokens)
    roots = frozenset(program.variables()) - bound
    calls = functions.intersection(program.functions())
    return Expression(source, program, roots, steps, outputs, hosts, _params(tokens), calls)


def evaluate(
    expression: Expression, variables: Mapping[str, Any], functions: Mapping[str, Callable[[], Any]] | None = None
) -> Any:
    """Return the expression's value as a JSON value; ``functions`` are those that it was compiled with.

    Raises: EvaluationError.
    """
    try:
        context = dict(variables) if functions is None else _cel().Context(dict(variables), dict(functions))
        return _json(expression.program.execute(context))
    except KeyError as error:
        missing = str(error.args[0]) if error.args else ""
        raise EvaluationError(f"there is no {missing}", missing) from None
    except (ValueError, TypeError, RuntimeError, ArithmeticError, LookupError) as error:
        raise EvaluationError(_reason(error)) from None


def matches(pattern: str, text: str) -> bool:
    """Say whether ``pattern`` occurs in ``text``, in linear time.

    Raises: EvaluationError when the pattern cannot be used.
    """
    return bool(evaluate(_matching(), {"text": text, "pattern": pattern}))


@functools.cache
def _matching() -> Expression:
    """Return the expression of ``matches``, whose names are none that people may write."""
    source = "text.matches(pattern)"
    return Expression(source, _cel().compile(source))


@functools.cache
def _cel() -> ModuleType:
    """Return the library, loaded when the first expression is met.

    It brings a terminal program along, whose libraries double what ``import plumber_core`` loads.
    """
    return importlib.import_module("cel")


def end_of(text: str, start: int) -> int | None:
    """Return where the ``}}`` stands that closes an expression whose inside begins at ``start``."""
    depth = 0
    for match in _TOKEN.finditer(text, start, start + MAX_LENGTH + 2):
        if match.lastgroup != "mark":
            continue
        if match.group() == "}":
            if depth == 0:
                return match.start() if text.startswith("}}", match.start()) else None
            depth -= 1
        depth += match.group() == "{"
    return None


def _with_quoted_names(source: str) -> str:
    """Turn ``steps.any name.outputs`` into ``steps["any name"].outputs``."""
    parts, copied, before = [], 0, ""
    for match in _TOKEN.finditer(source):
        if match.start() < copied or match.lastgroup == "space":
            continue
        if match.group() == "steps" and before != "." and (loose := _LOOSE_NAME.match(source, match.end())):
            quoted = json.dumps(loose.group(1), ensure_ascii=False)
            parts.append(f"{source[copied : match.end()]}[{quoted}]")
            copied = loose.end()
        before = match.group()
    return "".join(parts) + source[copied:]


def _check_names(program: Any, bound: frozenset[str], functions: frozenset[str]) -> None:
    for name in program.variables():
        if name not in ROOTS | bound:
            raise ExpressionError("unknown_variable", name=name, known=ROOTS)
    for name in program.functions():
        if name.isidentifier() and name not in FUNCTIONS | functions:
            raise ExpressionError("unknown_function", name=name, known=FUNCTIONS | functions | _LOOPS | {"has"})


def _loop_variables(tokens: list[re.Match[str]]) -> frozenset[str]:
    texts = [token.group() for token in tokens]
    loops = [
        index
        for index in range(len(texts) - 2)
        if texts[index] in _LOOPS and texts[index + 1] == "(" and index and texts[index - 1] == "."
    ]
    if len(loops) > MAX_LOOPS:
        raise ExpressionError("expression_too_large", limit=MAX_LOOPS, unit=because("unit_loops"))
    return frozenset(texts[index + 2] for index in loops) - ROOTS


def _params(tokens: list[re.Match[str]]) -> frozenset[str]:
    return frozenset(key for index in _uses(tokens, "params") if (key := _key_after(tokens, index)[0]) is not None)


def _step_references(
    tokens: list[re.Match[str]],
) -> tuple[frozenset[str], frozenset[tuple[str, str]], frozenset[str]]:
    steps, outputs, hosts = set(), set(), set()
    for index in _uses(tokens, "steps"):
        step, after = _key_after(tokens, index)
        if step is None:
            raise ExpressionError("dynamic_step")
        section, then = _key_after(tokens, after)
        if section not in ("outputs", "hosts"):
            raise ExpressionError("no_output", name=step)
        steps.add(step)
        if section == "hosts":
            hosts.add(step)
        key, _ = _key_after(tokens, then)
        if section == "outputs" and key is not None:
            outputs.add((step, key))
    return frozenset(steps), frozenset(outputs), frozenset(hosts)


def _uses(tokens: list[re.Match[str]], root: str) -> list[int]:
    """Return the indexes of the tokens that are this variable, not a key or text of that name."""
    return [
        index
        for index, token in enumerate(tokens)
        if token.group() == root and (index == 0 or tokens[index - 1].group() != ".")
    ]


def _key_after(tokens: list[re.Match[str]], index: int) -> tuple[str | None, int]:
    """Return the key that follows the token at ``index``, and the index of its last token."""
    following = tokens[index + 1 : index + 4]
    texts = [token.group() for token in following]
    if texts[:1] == ["."] and len(texts) > 1 and following[1].lastgroup == "name":
        return texts[1], index + 2
    if len(texts) == 3 and texts[0] == "[" and texts[2] == "]" and following[1].lastgroup == "string":
        return str(_cel().evaluate(texts[1])), index + 3
    return None, index


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _reason(error: Exception) -> str:
    text = str(error).split("|", 1)[0].split(" Check that ")[0]
    text = re.sub(r"^Failed to parse expression .*?: ERROR: <input>:\d+:(\d+): ", r"column \1: ", text, flags=re.DOTALL)
    text = re.sub(r"Syntax error: mismatched input '<EOF>'.*", "something is missing", text, flags=re.DOTALL)
    text = re.sub(r" expecting \{.*", "", text, flags=re.DOTALL)
    return " ".join(text.split())[:200].rstrip(". ")
