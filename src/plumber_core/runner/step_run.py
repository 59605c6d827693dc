"""Carries out one step with ``Executor.run``: open, run, close, outputs; an exit code comes out."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumber_core.model.limits import MAX_OUTPUT_VALUES
from plumber_core.plugins.contracts.executor import Executor
from plumber_core.plugins.contracts.step_context import StepFailed
from plumber_core.runner.context import HostContext

FAILED, CANCELLED = 1, 128 + signal.SIGTERM
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


async def run_step(executor: Executor[Any], ctx: HostContext, params: Any) -> int:
    """Run an executor once and return the exit code: 0, the one of ``StepFailed``, 1 for any other exception.

    Cancelling this coroutine cancels the step; it returns when the step has ended. Outputs stand in
    ``ctx.outputs``.
    """
    try:
        await executor.open()
        try:
            ctx.outputs.update(check_outputs(await executor.run(ctx, params) or {}))
            check_outputs(ctx.outputs)
        finally:
            await executor.close()
    except StepFailed as error:
        ctx.stderr.print(error.message)
        return error.exit_code if 0 < error.exit_code < 256 else FAILED
    except asyncio.CancelledError:
        if ctx.cancelled:
            return CANCELLED
        ctx.stderr.print(traceback.format_exc().rstrip())
    except Exception:
        ctx.stderr.print(traceback.format_exc().rstrip())
    else:
        return 0
    return FAILED


async def run_until_signalled(executor: Executor[Any], ctx: HostContext, params: Any) -> int:
    """Run an executor; SIGTERM and SIGINT cancel it. Who sends them sends KILL when its patience ends."""
    step = asyncio.ensure_future(run_step(executor, ctx, params))

    def cancel() -> None:
        ctx.cancelled = True
        step.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, cancel)
    try:
        return await step
    except asyncio.CancelledError:
        return CANCELLED


def check_outputs(outputs: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the outputs if they can be handed on.

    Raises:
        StepFailed: a key that is no name, a value that is no text, or too much in all.
    """
    for key, value in outputs.items():
        if not isinstance(key, str) or not _KEY.match(key):
            raise StepFailed(f"output {key!r}: the key must be a name of letters, digits and _")
        if not isinstance(value, str):
            raise StepFailed(f"output {key}: the value must be text, not {type(value).__name__}")
    if len(_encoded(outputs)) > MAX_OUTPUT_VALUES:
        raise StepFailed(f"outputs are larger than {MAX_OUTPUT_VALUES} bytes")
    return outputs


def write_outputs(outputs: Mapping[str, str], path: str) -> None:
    """Write outputs as one JSON object to the file that ``$PLUMBER_OUTPUT`` names."""
    Path(path).write_bytes(_encoded(outputs))


def _encoded(outputs: Mapping[str, str]) -> bytes:
    return json.dumps(dict(outputs), ensure_ascii=False).encode("utf-8", "replace")
