"""Executors: parameters, the function style, the thread base, and the script that a command carries."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from plumber_core import Command, Executor, InvalidRequest, StepContext, StepFailed, SyncExecutor, executor
from plumber_core.plugins.params import describe_executor, load_params, params_schema
from plumber_core.runner.step_run import check_outputs
from plumber_core.testing.steps import run_step, start_step


@executor("greet", summary="greet {name}")
async def greet(ctx: StepContext, name: str, times: Annotated[int, Field(ge=1)] = 1) -> dict[str, str]:
    """Greets.

    More about it.
    """
    ctx.outputs["times"] = str(times)
    for _ in range(times):
        await ctx.print(f"Hello, {name}!")
    return {"name": name}


def test_function_makes_its_parameters_from_its_signature() -> None:
    described = describe_executor(greet)
    assert described["kind"] == "greet"
    assert described["summary"] == "Greets."
    schema = described["schema"]
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["times"]["minimum"] == 1
    assert greet.summary(load_params(greet, {"name": "Ada"})) == "greet Ada"


async def test_function_runs_with_its_parameters() -> None:
    run = await run_step(greet, {"name": "Ada", "times": 2})
    assert (run.exit_code, run.stdout, run.stderr) == (0, b"Hello, Ada!\nHello, Ada!\n", b"")
    assert run.outputs == {"times": "2", "name": "Ada"}


async def _typeless(ctx: StepContext, name) -> None:  # type: ignore[no-untyped-def]
    pass


async def _starred(ctx: StepContext, *names: str) -> None:
    pass


async def _alone() -> None:
    pass


def _plain(ctx: StepContext) -> None:
    pass


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_typeless, "parameter name needs a type"),
        (_starred, "parameter names must be an ordinary one"),
        (_alone, "needs the context"),
        (_plain, "is a plain function: write `async def`, or derive from SyncExecutor"),
    ],
)
def test_function_that_cannot_be_an_executor_is_refused(function: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        executor("x")(function)


class Inner(BaseModel):
    port: int = 1


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Nested(BaseModel):
    inner: Inner = Inner()


class Bare(Executor[Any]):
    """Has the model that it is given."""

    kind = "bare"

    def __init__(self, model: type[BaseModel]) -> None:
        self.Params = model

    async def run(self, ctx: StepContext, params: Any) -> None:
        return None


@pytest.mark.parametrize("values", [{"innr": {}}, {"inner": {"prt": 1}}, {"inner": "secret-value"}])
def test_parameters_that_do_not_fit_are_named_but_not_shown(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        load_params(Bare(Nested), values)
    assert "uses: bare: in" in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_schema_is_closed_all_the_way_down_unless_the_model_is_open() -> None:
    schema = params_schema(Bare(Nested))
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Inner"]["additionalProperties"] is False
    assert params_schema(Bare(Open)).get("additionalProperties") is not False
    assert load_params(Bare(Open), {"anything": 1}).anything == 1


class InThread(SyncExecutor[Nested]):
    """Waits in a thread."""

    kind = "thread"
    Params = Nested

    def __init__(self) -> None:
        self.started, self.seen_cancel = threading.Event(), threading.Event()

    def run_sync(self, ctx: StepContext, params: Nested) -> None:
        ctx.stdout.print(threading.current_thread().name)
        self.started.set()
        if params.inner.port == 2:
            while not ctx.cancelled:
                self.seen_cancel.wait(0.01)
            ctx.stderr.print("stopped")
            self.seen_cancel.set()


async def test_sync_executor_runs_in_a_thread() -> None:
    run = await run_step(InThread(), {})
    assert run.exit_code == 0
    assert run.stdout.strip().decode() != threading.main_thread().name


async def test_sync_executor_ends_when_its_thread_does() -> None:
    step = InThread()
    async with start_step(step, {"inner": {"port": 2}}) as running:
        await asyncio.to_thread(step.started.wait, 10)
        running.cancel()
        run = await running.wait(10)
    assert step.seen_cancel.is_set()
    assert (run.exit_code, run.stderr) == (143, b"stopped\n")


@pytest.mark.parametrize(("code", "given"), [(7, 7), (0, 1), (999, 1), (-1, 1)])
async def test_step_failed_gives_the_exit_code_and_no_traceback(code: int, given: int) -> None:
    @executor("fails")
    async def fails(ctx: StepContext) -> None:
        """Fails."""
        raise StepFailed("the shop is closed", exit_code=code)

    run = await run_step(fails, {})
    assert (run.exit_code, run.stderr) == (given, b"the shop is closed\n")


async def test_other_exceptions_leave_their_traceback() -> None:
    @executor("boom")
    async def boom(ctx: StepContext) -> None:
        """Goes wrong."""
        raise KeyError("price")

    run = await run_step(boom, {})
    assert run.exit_code == 1
    assert b"Traceback" in run.stderr
    assert b"KeyError: 'price'" in run.stderr


async def test_cancelled_error_that_nobody_asked_for_is_a_failure() -> None:
    @executor("odd")
    async def odd(ctx: StepContext) -> None:
        """Cancels itself."""
        raise asyncio.CancelledError

    assert (await run_step(odd, {})).exit_code == 1


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [({"a": 1}, "must be text, not int"), ({"a b": "x"}, "must be a name"), ({"a": "x" * 70_000}, "larger than")],
)
async def test_outputs_that_cannot_be_handed_on_fail_the_step(outputs: Any, reason: str) -> None:
    @executor("out")
    async def out(ctx: StepContext) -> dict[str, str]:
        """Hands on."""
        return outputs  # type: ignore[no-any-return]

    run = await run_step(out, {})
    assert run.exit_code == 1
    assert reason in run.stderr.decode()
    assert run.outputs == {}
    with pytest.raises(StepFailed):
        check_outputs(outputs)


async def test_output_longer_than_a_pipe_keeps_its_order() -> None:
    @executor("much")
    async def much(ctx: StepContext) -> None:
        """Prints much."""
        await asyncio.gather(*(ctx.print(f"{number}:" + "x" * 10_000) for number in range(50)))

    lines = (await run_step(much, {})).stdout.splitlines()
    assert [int(line.partition(b":")[0]) for line in lines] == list(range(50))


def test_command_resolves_with_its_script() -> None:
    command = Command(("python3", "-u"), "print()", ("a b",))
    assert command.resolve("/x/step.script") == ("python3", "-u", "/x/step.script", "a b")
    with pytest.raises(ValueError, match="needs a file"):
        command.resolve()
    with pytest.raises(ValueError, match="at least one word"):
        Command(()).resolve()
