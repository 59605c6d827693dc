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
from plumber_core.model.locks import Concurrency, Locks
from plumber_core.model.notices import Notify
from plumber_core.model.offline import WhenOffline
from plumber_core.model.plan import OnFailure, RetryOn
from plumber_core.model.rollout import Batches, BatchPause, Failures, Order
from plumber_core.model.sentences import KEYS
from plumber_core.model.wrong_types import wrong_type
from plumber_core.reasons import because

MAX_TEXT = 1024 * 1024
MAX_COMMAND = 100_000
"""Linux refuses an argument of 128 KiB."""
OnDisconnect = Literal["continue", "stop_after"]
ParameterType = Literal["string", "text", "int", "float", "bool", "enum", "multi-enum", "list", "target"]


def _name(value: object) -> object:
    if not isinstance(value, str) or not names.is_name(value):
        raise PydanticCustomError("bad_name", KEYS["bad_name"])
    return value


def _duration(value: object) -> float:
    try:
        return durations.parse_duration(value)
    except ValueError:
        shown = {"value": str(value)[:80], "expected": because("expect_duration")}
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
    raise wrong_type("on", because("expect_target"))


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


def _bounded(key: str, low: int, high: int, *, whole: bool = False) -> Any:
    """Return the type of a number between two bounds, which says so in one sentence."""
    expected = because("expect_integer", low=low, high=high) if whole else because("expect_number", low=low, high=high)

    def check(value: object) -> object:
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
            raise wrong_type(key, expected)
        return value

    schema = {"type": "integer" if whole else "number", "minimum": low, "maximum": high}
    return Annotated[int if whole else float, BeforeValidator(check), WithJsonSchema(schema)]


def _lost_after(value: object) -> object:
    return value if value == "never" else _duration(value)


_LOST_AFTER_SCHEMA: dict[str, Any] = {"anyOf": [*_DURATION_SCHEMA["anyOf"], {"const": "never"}]}
LostAfter = Annotated[float | Literal["never"], BeforeValidator(_lost_after), WithJsonSchema(_LOST_AFTER_SCHEMA)]


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


class Retry(_Written):
    """When a step is tried again. A retry never overlaps with the attempt before it."""

    attempts: _bounded("attempts", 1, 1000, whole=True)  # type: ignore[valid-type]
    """How many there are at most, the first included."""
    delay: Duration = 5.0
    backoff: _bounded("backoff", 1, 100) = 1.0  # type: ignore[valid-type]
    """By what each delay is longer than the one before."""
    max_delay: Duration = 3600.0
    jitter: _bounded("jitter", 0, 1) = 0.0  # type: ignore[valid-type]
    """The share by which a delay may be shorter or longer."""
    on: tuple[RetryOn, ...] = ("failed", "timed_out")
    exit_codes: tuple[_bounded("exit_codes", 0, 255, whole=True), ...] = ()  # type: ignore[valid-type]
    """Of failures only these are tried again; empty means all."""


class Action(_Written):
    """What a step and a gate have in common: ``run`` a command, or ``uses`` an executor ``with`` parameters."""

    run: CommandLine | None = None
    uses: Text | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    on: Target | None = None
    path: Value | None = None
    env: Variables = Field(default_factory=dict)
    secrets: dict[str, Text] = Field(default_factory=dict)
    """Environment variable -> reference of the secret that its value is, fetched where the step runs."""
    shell: Text | None = None
    """The command line of another interpreter; the command is added after ``-c``."""
    timeout: Duration | None = None
    idle_timeout: Duration | None = None
    grace: Duration = 10.0
    """Seconds between TERM and KILL."""
    stdin: Value | None = None
    retry: Retry | None = None
    idempotent: StrictBool = False
    """Running it twice does no harm, even at the same time."""
    on_disconnect: OnDisconnect | None = None
    stop_after: Duration | None = None
    """The command is ended when the control plane has not been heard for this long."""
    lost_after: LostAfter | None = None
    """How long its agent may be silent until the outcome counts as unknown."""


class Gate(Action):
    """What must succeed after a batch, on the hosts on which the batch did, or on its own target."""

    name: Name | None = None


class Rollout(_Written):
    """How a block spreads over its hosts, batch by batch."""

    batches: Batches = "100%"
    max_failures: Failures = 0
    """Hosts of the whole block, or more precisely; when more fail, no further host begins."""
    pause: BatchPause | None = None
    """Between two batches."""
    gate: Gate | None = None
    order: Order = "name"


class Step(Action):
    """One thing to do; or a block: ``steps`` that each host carries out in order, and how they are rolled out."""

    name: Name
    allow_empty: StrictBool = False
    """A target that matches nobody is no error: the step has no host then."""
    when: Value | None = None
    """A condition; where it is false, the step or block is passed over."""
    needs: tuple[Name, ...] | None = None
    """The steps that must have ended before; with any in a task its steps are a graph, not a list."""
    on_failure: OnFailure = "stop"
    locks: Locks = ()
    """What it has to hold on each of its hosts while it runs."""
    steps: tuple[Step, ...] | None = None
    rollout: Rollout | None = None


class Task(_Written):
    """A named definition made of steps, which run in order."""

    name: Name
    description: Text = ""
    params: dict[str, Parameter] = Field(default_factory=dict)
    env: Variables = Field(default_factory=dict)
    on: Target | None = None
    allow_empty: StrictBool = False
    """The same as at each step."""
    path: Value | None = None
    timeout: Duration | None = None
    """Of the whole execution."""
    queue_timeout: Duration | None = None
    """How long a step may be ready without being started."""
    concurrency: Concurrency | None = None
    """How many executions run at once; any number without it."""
    locks: Locks = ()
    """What an execution has to hold while it runs."""
    offline: WhenOffline | None = None
    """What becomes of steps whose hosts are not there; None waits for them."""
    steps: tuple[Step, ...]
    notify: Notify | None = None
    always: tuple[Step, ...] = ()
    """Run when all steps have ended, however, or were cancelled."""
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
