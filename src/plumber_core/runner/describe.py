"""What this machine can run, asked of the executor host: the link itself loads no plugin."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from plumber_core.protocol.codec import from_json
from plumber_core.protocol.messages import ExecutorInfo

TIME_LIMIT = 60.0


async def describe_executors() -> tuple[ExecutorInfo, ...]:
    """Return the executors that are installed here.

    Raises:
        OSError, TimeoutError: the host could not be run.
        ValueError: it did not say.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "plumber_core.runner.executor_host", "--describe"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name != "PLUMBER_ENROLL_TOKEN"},
    )
    try:
        async with asyncio.timeout(TIME_LIMIT):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise ValueError(f"the executor host ended with {process.returncode}")
    found: tuple[ExecutorInfo, ...] = from_json(tuple[ExecutorInfo, ...], json.loads(output))
    return found
