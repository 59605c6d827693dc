"""What this machine can run, asked of the executor host: the link itself loads no plugin."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from plumber_core.protocol.codec import from_json
from plumber_core.protocol.messages import ExecutorInfo

TIME_LIMIT = 60.0


async def describe_executors(plugins: Mapping[str, Any]) -> tuple[ExecutorInfo, ...]:
    """Return the executors that are installed here; ``plugins`` is the ``[plugins]`` table.

    Raises:
        OSError, TimeoutError: the host could not be run.
        ValueError: it did not say.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "plumber_core.runner.executor_host", "--describe", "--settings"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "PLUMBER_ENROLL_TOKEN"},
    )
    try:
        async with asyncio.timeout(TIME_LIMIT):
            asked = json.dumps({"plugins": plugins}, default=str).encode()
            output, errors = await process.communicate(asked)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ValueError(_why(errors) or f"the executor host ended with {process.returncode}")
    found: tuple[ExecutorInfo, ...] = from_json(tuple[ExecutorInfo, ...], json.loads(output))
    return found


def _why(errors: bytes) -> str:
    """Return the host's own sentence, which names the plugin and its distribution."""
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return next((line.removeprefix("plumber: ") for line in reversed(lines) if line.startswith("plumber: ")), "")
