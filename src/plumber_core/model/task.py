"""A task as its author wrote it: what a file holds, and what programs build themselves.

    Task(name="hello", on="all", steps=[Step(name="greet", run="echo hello", timeout="30s")])

Values are checked one by one here; what several of them mean together (names that stand twice, a step without a
target, an expression that names a later step) is checked by ``planning.validate``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from plumber_core.model import durations, names
from plumber_core.model.plan import OnFailure
from plumber_core.model.sentences import KEYS

MAX_TEXT = 1024 * 1024
MAX_COMMAND = 100_000
"""Linux refuses an argument of 128 KiB."""
ParameterType = Literal["string", "text", "int", "float", "bool", "enum", "list"]


def _name(value: object) -> object:
    if not isinstance(value, str) or not names.is_name(value):
        raise PydanticCustomError("bad_name", KEYS["bad_name"])
    return value


def _duration(value: object) -> float:
    try:
        return durations.parse_duration(value)
    except ValueError:
        shown = {"value": str(value)[:80], "expected": durations.EXPECTED}
        raise PydanticCustomError("bad_duration", KEYS["bad_duration"], shown) from None


def _text(value: object) -> object:
    """Turn what YAML and programs write without quotes (a port, a version, a switch) into text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _target(value: object) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise PydanticCustomError(
        "wrong_type", KEYS["wrong_type"], {"key": "on", "expected": "an expression or a list of names"}
    )


Name = Annotated[str, BeforeValidator(_name), Field(min_length=1, max_length=names.MAX_NAME)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT), WithJsonSchema({"type": "string"})]
Value = Annotated[Text, BeforeValidator(_text)]
CommandLine = Annotated[
    str, StringConstraints(max_length=MAX_COMMAND), WithJsonSchema({"type": "string"}), BeforeValidator(_text)
]
Variables = dict[str, Value]
_DURATION_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "number", "minimum": 0, "maximum": durations.MAX_DURATION},
        {"type": "string", "pattern": durations.PATTERN},
    ],
    "description": f"{durations.EXPECTED}; a number is seconds",
}
Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
_TARGET_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
    "description": "an expression over names and labels, such as role=web and not web-3, or a list of names",
}
Target = Annotated[str | tuple[str, ...], BeforeValidator(_target), WithJsonSchema(_TARGET_SCHEMA)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)


class Parameter(_Written):
    """What a run may be given. ``min`` and ``max`` bound a number, the length of text, the entries of a list."""

    type: ParameterType = "string"
    description: Text = ""
    required: StrictBool = False
    default: Any = None
    pattern: Text | None = None
    """Searched for in the value (use ^ and $), in linear time: no look-around, no back-references."""
    choices: tuple[Value, ...] = ()
    min: Number | None = None
    max: Number | None = None


class Step(_Written):
    """One thing to do: ``run`` a command, or ``uses`` an executor ``with`` parameters."""

    name: Name
    run: CommandLine | None = None
    uses: Text | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    on: Target | None = None
    path: Value | None = None
    env: Variables = Field(default_factory=dict)
    shell: Text | None = None
    """The command line of another interpreter; the command is added after ``-c``."""
    timeout: Duration | None = None
    idle_timeout: Duration | None = None
    grace: Duration = 10.0
    """Seconds between TERM and KILL."""
    stdin: Value | None = None
    on_failure: OnFailure = "stop"


class Task(_Written):
    """A named definition made of steps, which run in order."""

    name: Name
    description: Text = ""
    params: dict[str, Parameter] = Field(default_factory=dict)
    env: Variables = Field(default_factory=dict)
    on: Target | None = None
    path: Value | None = None
    steps: tuple[Step, ...]
    labels: Variables = Field(default_factory=dict)
    clean_environment: bool = True
    """False only for the original's TOML, whose commands see the agent's environment. No key of the language."""

    def definition(self) -> dict[str, Any]:
        """Return the task as JSON values, defaults left out: what is stored, compared and read back."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    @classmethod
    def from_definition(cls, definition: dict[str, Any]) -> Self:
        """Read what ``definition`` returned.

        Raises: pydantic.ValidationError.
        """
        return cls.model_validate(definition)
