"""Runs one step of one executor, as an agent would but in this process: for tests of executors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from plumber_core.plugins.contracts.command import Command
from plumber_core.plugins.contracts.executor import Executor
from plumber_core.plugins.params import load_params
from plumber_core.runner.context import HostContext, HostStream
from plumber_core.runner.outputs import read_outputs
from plumber_core.runner.step_run import run_step as run_in_process

ENVIRONMENT = {
    "PLUMBER_EXECUTION": "01900000-0000-7000-8000-000000000001",
    "PLUMBER_ATTEMPT": "01900000-0000-7000-8000-000000000002",
    "PLUMBER_AGENT": "01900000-0000-7000-8000-000000000003",
    "PLUMBER_STEP": "a step",
}


@dataclass(frozen=True, slots=True)
class StepRun:
    """How a step ended. ``exit_code`` is negative for a signal, ``outputs`` what it hands on."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    outputs: Mapping[str, str] = field(default_factory=dict)


class RunningStep(Protocol):
    """A step that was started."""

    async def wait(self, timeout: float) -> StepRun:
        """Return how it ended.

        Raises: TimeoutError, after ``timeout`` seconds; the step goes on.
        """
        ...

    def cancel(self) -> None:
        """Ask it to end, as SIGTERM does in an agent."""
        ...


async def run_step(
    executor: Executor[Any],
    params: Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    path: Path | None = None,
    timeout: float = 60.0,
) -> StepRun:
    """Run one step to its end.

    Args:
        executor: what to run.
        params: JSON values, as they would stand under ``with:``.
        env: added to a small environment.
        path: the working directory; a new, empty one if left out.
        timeout: in seconds.

    Raises:
        InvalidRequest: the parameters do not fit.
        TimeoutError: it takes longer.
    """
    async with start_step(executor, params, env=env, path=path) as step:
        return await step.wait(timeout)


@asynccontextmanager
async def start_step(
    executor: Executor[Any],
    params: Mapping[str, Any],
    *,
    env: Mapping[str, str] | None = None,
    path: Path | None = None,
) -> AsyncIterator[RunningStep]:
    """Start one step and end it with the context, if it has not ended before; see ``run_step``."""
    loaded = load_params(executor, params)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (work := path or home / "work").mkdir(exist_ok=True)
        whole = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, **ENVIRONMENT, **(env or {})}
        command = executor.command(loaded)
        if command is not None:
            process: _Process | _Coroutine = await _Process.start(command, home, whole, work)
        else:
            process = _Coroutine(executor, loaded, home, whole, work)
        async with process.ending():
            yield process


def _output(home: Path) -> tuple[bytes, bytes]:
    return (home / "stdout").read_bytes(), (home / "stderr").read_bytes()


class _Coroutine:
    """A step that runs as ``Executor.run``."""

    def __init__(self, executor: Executor[Any], params: Any, home: Path, env: Mapping[str, str], work: Path) -> None:
        self._home, self._work = home, work
        self._files = [(home / name).open("wb") for name in ("stdout", "stderr")]
        self._ctx = HostContext.from_environment(env, str(work))
        self._ctx.stdout, self._ctx.stderr = (HostStream(file.fileno()) for file in self._files)
        self._task = asyncio.ensure_future(self._run(executor, params))

    async def _run(self, executor: Executor[Any], params: Any) -> int:
        with contextlib.chdir(self._work):
            return await run_in_process(executor, self._ctx, params)

    async def wait(self, timeout: float) -> StepRun:
        done, _ = await asyncio.wait({self._task}, timeout=timeout)
        if not done:
            raise TimeoutError(f"the step has not ended after {timeout:g} s")
        code = 128 + signal.SIGTERM if self._task.cancelled() else self._task.result()
        return StepRun(code, *_output(self._home), dict(self._ctx.outputs))

    def cancel(self) -> None:
        self._ctx.cancelled = True
        self._task.cancel()

    @asynccontextmanager
    async def ending(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if not self._task.done():
                self.cancel()
                await asyncio.wait({self._task})
            for file in self._files:
                file.close()


class _Process:
    """A step that runs as a command, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path) -> None:
        self._process, self._home = process, home

    @classmethod
    async def start(cls, command: Command, home: Path, env: Mapping[str, str], work: Path) -> _Process:
        script = home / "step.script"
        if command.script is not None:
            script.write_text(command.script)
        argv = command.resolve(None if command.script is None else str(script))
        whole = {**env, "PLUMBER_OUTPUT": str(home / "step.out")}
        with (home / "stdout").open("wb") as stdout, (home / "stderr").open("wb") as stderr:
            process = await asyncio.to_thread(
                subprocess.Popen,
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=whole,
                cwd=work,
                start_new_session=True,
            )
        return cls(process, home)

    async def wait(self, timeout: float) -> StepRun:
        try:
            code = await asyncio.to_thread(self._process.wait, timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the step has not ended after {timeout:g} s") from None
        return StepRun(code, *_output(self._home), read_outputs(self._home / "step.out"))

    def cancel(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    @asynccontextmanager
    async def ending(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self._signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)
