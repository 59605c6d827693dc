"""Secrets of steps: fetched where the step runs, in its environment and parameters, and nowhere else to be found."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plumber_core.app import Plumber
from plumber_core.model.views import ExecutionDetail
from plumber_core.protocol.frames import decode_frames
from support.waiting import wait_until

CANARY = "canary-5f2c-bird"
PROVIDERS = '''
import asyncio
from pydantic import SecretStr
from plumber_core import SecretNotFound, SecretProvider, executor, hookimpl

class Troubled(SecretProvider):
    """Raises, hangs, lies."""

    scheme = "troubled"

    async def fetch(self, ref):
        match ref.name:
            case "raises":
                raise ValueError("the password is canary-5f2c-bird")
            case "hangs":
                await asyncio.sleep(600)
            case "lies":
                return "canary-5f2c-bird"
            case "nul":
                return SecretStr("a\\0b")
        raise SecretNotFound(str(ref))

@executor("tell", summary="tell {what}")
async def tell(ctx, what: str, to: list[str]):
    """Tells what it was given."""
    await ctx.print(f"{what} for {to}, as {ctx.env['TOKEN']}")
    return {"told": what}

@hookimpl
def register_secret_providers():
    return [Troubled()]

@hookimpl
def register_executors():
    return [tell]
'''


@pytest.fixture
async def plumber(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Plumber]:
    """A control plane with a local agent that has secrets in files, and a provider that is not to be trusted."""
    for folder in ("secrets", "plugins"):
        (tmp_path / folder).mkdir()
    (tmp_path / "secrets" / "token").write_text(f"{CANARY}\n")
    (tmp_path / "secrets" / "pin").write_text("1234")
    (tmp_path / "plugins" / "troubled.py").write_text(PROVIDERS)
    plugins = {"folder": str(tmp_path / "plugins"), "file-secrets": {"folder": str(tmp_path / "secrets")}}
    async with Plumber(sqlite_url, plugins=plugins, state_dir=tmp_path / "state") as opened:

        async def announced() -> bool:
            return "tell" in {one.kind for one in await opened.executors.list()}

        await wait_until(announced)
        yield opened


async def _log(plumber: Plumber, ended: ExecutionDetail, step: int = 0) -> str:
    slice_ = await plumber.read_log(ended.steps[step].attempts[0].id)
    return b"".join(bytes(frame.data) for frame in decode_frames(slice_.data)).decode()


async def _run(plumber: Plumber, step: str) -> ExecutionDetail:
    return await plumber.run(f"{{name: t, on: local, steps: [{{name: s, {step}}}]}}")


async def test_a_step_gets_its_secrets_and_they_are_found_nowhere_else(plumber: Plumber, tmp_path: Path) -> None:
    # The length and a file show that the value is there; all else that could show it must not.
    script = """
      printf '%s' "$TOKEN" | wc -c
      echo "token=$TOKEN"; echo "token=$TOKEN" >&2; printf '%s' "$TOKEN" | base64
      printf 'ca'; printf 'nary-5f2c-bird and more\\n'
      echo "copy=<$TOKEN>" >> "$PLUMBER_OUTPUT"
      test -z "$PLUMBER_MASKS$CREDENTIALS_DIRECTORY"; test ! -e /proc/self/fd/3
      printf '%s' "$TOKEN" > seen
    """
    source = {
        "name": "t",
        "on": "local",
        "path": str(tmp_path),
        "steps": [
            {"name": "one", "run": script, "secrets": {"TOKEN": "file:token", "PIN": "file:pin"}},
            {
                "name": "two",
                "uses": "tell",
                "secrets": {"TOKEN": "file:token"},
                "with": {"what": "Bearer ${{ secrets.TOKEN }}", "to": ["${{ steps.one.outputs.copy }}"]},
            },
        ],
    }
    ended = await plumber.run(source)
    log = await _log(plumber, ended)
    assert ended.state == "succeeded", log
    assert (tmp_path / "seen").read_text() == CANARY
    assert log.startswith("plumber: secret PIN is so short that it is not hidden in the output\n")
    assert log.count("token=[MASKED]\n") == 2 and f"{len(CANARY)}\n" in log and "\n[MASKED] and more\n" in log
    assert ended.steps[0].attempts[0].outputs == {"copy": "<[MASKED]>"}
    assert await _log(plumber, ended, 1) == "Bearer [MASKED] for ['<[MASKED]>'], as [MASKED]\n"
    assert ended.steps[1].attempts[0].outputs == {"told": "Bearer [MASKED]"}
    for content in _stored(tmp_path):
        assert CANARY.encode() not in content
        assert base64.b64encode(CANARY.encode()) not in content


def _stored(folder: Path) -> list[bytes]:
    """Return all that the database and the agent have on their disks."""
    paths = [*folder.glob("*.db*"), *(folder / "state").rglob("*")]
    return [path.read_bytes() for path in paths if path.is_file()]


REASONS = {
    "file:missing": "there is no such secret",
    "vault:token": "no plugin here offers the scheme vault",
    "troubled:raises": "its provider failed: ValueError",
    "troubled:lies": "its provider returned str instead of SecretStr",
    "troubled:nul": "no environment can carry it",
}


async def test_a_step_without_its_secret_does_not_start_and_says_why(plumber: Plumber, tmp_path: Path) -> None:
    steps = [
        {"name": reference, "run": "touch started", "secrets": {"TOKEN": reference}, "on_failure": "continue"}
        for reference in REASONS
    ]
    ended = await plumber.run({"name": "t", "on": "local", "path": str(tmp_path), "steps": steps})
    for number, (reference, reason) in enumerate(REASONS.items()):
        assert await _log(plumber, ended, number) == f"plumber: secret TOKEN ({reference}): {reason}\n"
        assert (ended.steps[number].state, ended.steps[number].attempts[0].exit_code) == ("failed", 125)
    assert not (tmp_path / "started").exists()


async def test_a_provider_that_hangs_is_ended_with_its_step(plumber: Plumber) -> None:
    ended = await _run(plumber, "run: echo never, timeout: 2s, grace: 1s, secrets: {TOKEN: 'troubled:hangs'}")
    assert (ended.state, ended.steps[0].state) == ("failed", "timed_out")
    assert await _log(plumber, ended) == ""
