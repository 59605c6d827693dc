"""Parameters: typed values, refused values, and environment variables that carry any byte unchanged."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.errors import InvalidRequest
from plumber_core.model.task import Parameter
from plumber_core.planning.parameters import as_environment, bind


@pytest.mark.parametrize(
    ("declaration", "given_value", "value"),
    [
        ({}, "x", "x"),
        ({"type": "text"}, "a\nb", "a\nb"),
        ({"type": "int"}, "-42", -42),
        ({"type": "int"}, 7.0, 7),
        ({"type": "float"}, "1e3", 1000.0),
        ({"type": "float"}, 2, 2.0),
        ({"type": "bool"}, "Yes", True),
        ({"type": "bool"}, "0", False),
        ({"type": "bool"}, False, False),
        ({"type": "enum", "choices": ("a", "b")}, "b", "b"),
        ({"type": "list"}, "a, b,,c", ["a", "b", "c"]),
        ({"type": "multi-enum", "choices": ("a", "b", "c")}, "c,a,c", ["c", "a"]),
        ({"type": "multi-enum", "choices": ("a", "b")}, [], []),
        ({"type": "target"}, "role=web and not web-3", "role=web and not web-3"),
        ({"type": "target"}, "any 1 of group:web", "any 1 of group:web"),
        ({"type": "list"}, "a,1\nb", ["a,1", "b"]),
        ({"type": "list"}, '["a,b", "c"]', ["a,b", "c"]),
        ({"type": "list"}, "", []),
        ({"type": "list"}, ["x"], ["x"]),
        ({"default": "d"}, None, "d"),
        ({}, None, None),
        ({"pattern": "^v[0-9]+$"}, "v1", "v1"),
        ({"type": "int", "min": 1, "max": 3}, "3", 3),
        ({"min": 2, "max": 3}, "é!", "é!"),
    ],
)
def test_values_get_the_declared_type(declaration: dict[str, Any], given_value: Any, value: Any) -> None:
    bound = bind({"x": Parameter(**declaration)}, {"x": given_value})
    assert bound == {"x": value}
    assert type(bound["x"]) is type(value)


@pytest.mark.parametrize(
    ("declaration", "given_value", "says"),
    [
        ({"required": True}, None, "is required"),
        ({}, 5, "must be text"),
        ({}, "a\nb", "one line"),
        ({}, "a\x00", "no environment can carry"),
        ({}, "\ud800", "no environment can carry"),
        ({"type": "text"}, "x" * 100_001, "longer than"),
        ({"type": "int"}, "1.5", "whole number"),
        ({"type": "int"}, "", "whole number"),
        ({"type": "int"}, True, "whole number"),
        ({"type": "int"}, 2**63, "64 bits"),
        ({"type": "int"}, "9" * 5000, "whole number"),
        ({"type": "int"}, "٣", "whole number"),
        ({"type": "float"}, "nan", "must be a number"),
        ({"type": "float"}, float("inf"), "finite"),
        ({"type": "float"}, "1e999", "finite"),
        ({"type": "float"}, 10**400, "finite"),
        ({"type": "bool"}, "maybe", "true or false"),
        ({"type": "bool"}, 1, "true or false"),
        ({"type": "enum", "choices": ("staging", "prod")}, "stagin", "perhaps staging"),
        ({"type": "multi-enum", "choices": ("staging", "prod")}, "prod,stagin", "perhaps staging"),
        ({"type": "multi-enum", "choices": ("a", "b"), "min": 1}, [], "at least 1 entries"),
        ({"type": "multi-enum", "choices": ("a", "b"), "max": 1}, "a,b", "at most 1 entries"),
        ({"type": "target"}, "role=(", "column 6: expected"),
        ({"type": "target"}, "", "target expression"),
        ({"type": "target"}, "a\nb", "one line"),
        ({"type": "list"}, {"a": 1}, "must be a list"),
        ({"type": "list"}, [1], "text of one line"),
        ({"type": "list"}, ["a\nb"], "text of one line"),
        ({"type": "list"}, "[1", "begins like JSON"),
        ({"type": "list"}, "[" * 100_000, "begins like JSON"),
        ({"type": "list", "max": 1}, "a,b", "at most 1 entries"),
        ({"pattern": "^v[0-9]+$"}, "v1; rm -rf /", "must match"),
        ({"type": "int", "min": 1}, "0", "at least 1"),
        ({"max": 2}, "abc", "at most 2 characters"),
    ],
)
def test_values_that_do_not_fit_are_refused(declaration: dict[str, Any], given_value: Any, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bind({"x": Parameter(**declaration)}, {"x": given_value})
    assert caught.value.arguments["field"] == "parameters.x"
    assert says in caught.value.arguments["reason"]


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidRequest) as caught:
        bind({"version": Parameter()}, {"verzion": "1"})
    assert caught.value.arguments["field"] == "parameters.verzion"
    assert "version" in caught.value.arguments["reason"]


def test_what_has_no_value_is_no_variable() -> None:
    values = {"a": None, "b": True, "c": ["x", "y"], "d": 1.5, "e": ""}
    assert as_environment(values) == {"b": "true", "c": "x\ny", "d": "1.5", "e": ""}


_PAYLOADS = ["$(id)", "`id`", "; id", "' ; id #", '" ; id #', "\\", "$HOME", "*", "-n",
     "-oProxyCommand=id", "@/etc/passwd",
             "a\tb", "é 数", "${{ agent.name }}", "%s%n", "\x1b[31m", "!!", "#", "~", "&& id",
     "| id", "<x", ">x"]  # fmt: skip
_SAFE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_PAYLOADS) | _SAFE | st.tuples(st.sampled_from(_PAYLOADS), _SAFE).map("".join))
def test_any_text_reaches_a_shell_as_itself(text: str) -> None:
    environment = as_environment(bind({"x": Parameter(type="text")}, {"x": text}))
    command = ["/bin/sh", "-e", "-c", 'printf %s "$x"']
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert done.stdout == text.encode()


_TYPES = st.sampled_from(["string", "text", "int", "float", "bool", "list"])
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(_TYPES, _ANYTHING)
def test_binding_is_stable_and_raises_nothing_else(kind: Any, value: Any) -> None:
    declared = {"x": Parameter(type=kind)}
    try:
        bound = bind(declared, {"x": value})
    except InvalidRequest:
        return
    assert bind(declared, bound) == bound
