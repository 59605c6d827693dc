"""The executor host as a process: what an agent's supervisor sees of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plumber_core.runner.spares import Spares
from support.plugin_packages import install_plugin

GREET = '''
import asyncio, sys, threading
from pydantic import BaseModel
from plumber_core import Command, CommandExecutor, StepContext, StepFailed, SyncExecutor, executor, hookimpl


@executor("greet")
async def greet(ctx: StepContext, name: str) -> dict[str, str]:
    """Greets."""
    await ctx.print(f"Hello, {name}!")
    ctx.stderr.write(b"\\xff\\x00")
    ctx.outputs["where"] = ctx.path
    return {"who": name, "ids": " ".join([ctx.execution, ctx.attempt, ctx.agent, ctx.step]), "mode": ctx.env["MODE"]}


@executor("slow")
async def slow(ctx: StepContext, stubborn: bool = False) -> None:
    """Waits for its end."""
    await ctx.print("begun")
    try:
        await asyncio.Event().wait()
    finally:
        await ctx.print("cleaned up")
        if stubborn:
            await asyncio.Event().wait()


@executor("fails")
async def fails(ctx: StepContext, how: str) -> None:
    """Fails in one way or another."""
    ctx.outputs["reached"] = "yes"
    if how == "told":
        raise StepFailed("the shop is closed", exit_code=3)
    if how == "exit":
        sys.exit(9)
    raise ValueError("boom")


@executor("settings")
async def settings(ctx: StepContext) -> None:
    """Prints the plugin's settings."""
    await ctx.print(TABLE["city"])


class Empty(BaseModel):
    pass


class Thread(SyncExecutor[Empty]):
    """Blocks in a thread."""

    kind = "thread"
    Params = Empty

    def run_sync(self, ctx, params):
        ctx.stdout.print("begun")
        while not ctx.cancelled:
            threading.Event().wait(0.01)
        ctx.stdout.print("thread ended")


class Absent(CommandExecutor[Empty]):
    """Starts what is not there."""

    kind = "absent"
    Params = Empty

    def command(self, params):
        return Command(("/nowhere/program",))


@hookimpl
def register_executors(ctx):
    TABLE.update(ctx.table)
    return [greet, slow, fails, settings, Thread(), Absent()]


TABLE = {}
'''


@dataclass
class Result:
    code: int
    stdout: bytes
    stderr: str
    outputs: dict[str, str]


class Host:
    """Starts executor hosts with a plugin installed, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        self.work = folder / "work"
        self.output = folder / "attempt.out"
        self.packages.mkdir()
        self.work.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.packages),
            "PLUMBER_EXECUTION": "e1",
            "PLUMBER_ATTEMPT": "a1",
            "PLUMBER_AGENT": "g1",
            "PLUMBER_STEP": "greet all",
            "PLUMBER_OUTPUT": str(self.output),
            "MODE": "test",
        }

    async def start(self, *arguments: str, request: Any = None) -> Process:
        command = [sys.executable, "-P", "-m", "plumber_core.runner.executor_host", *arguments]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self.environment, cwd=self.work
        )
        assert process.stdin
        process.stdin.write(request if isinstance(request, bytes) else json.dumps(request or {}).encode())
        process.stdin.close()
        return process

    async def finish(self, process: Process) -> Result:
        async with asyncio.timeout(30):
            stdout, stderr = await process.communicate()
        outputs = json.loads(self.output.read_text()) if self.output.exists() else {}
        assert process.returncode is not None
        return Result(process.returncode, stdout, stderr.decode(errors="replace"), outputs)

    async def run(self, *arguments: str, request: Any = None, **params: Any) -> Result:
        return await self.finish(await self.start(*arguments, request=request or {"params": params}))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    install_plugin(made.packages, "greet", GREET)
    return made


async def test_runs_an_executor(host: Host) -> None:
    result = await host.run("greet", name="Ädä")
    assert (result.code, result.stdout.decode()) == (0, "Hello, Ädä!\n")
    assert result.stderr == "\ufffd\x00"
    assert result.outputs == {"who": "Ädä", "ids": "e1 a1 g1 greet all", "where": str(host.work), "mode": "test"}


async def test_describe_lists_every_executor_with_its_schema(host: Host) -> None:
    result = await host.run("--describe")
    found = {entry["kind"]: entry for entry in json.loads(result.stdout)}
    assert {"shell", "script", "http", "greet", "slow", "thread"} <= set(found)
    assert found["greet"]["summary"] == "Greets."
    assert found["greet"]["schema"]["required"] == ["name"]
    assert set(found["greet"]) == {"kind", "schema", "summary"}


async def test_describe_does_not_wait_for_stdin(host: Host) -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-P", "-m", "plumber_core.runner.executor_host", "--describe"],
        stdin=PIPE,
        stdout=PIPE,
        env=host.environment,
    )
    assert process.stdout
    async with asyncio.timeout(30):
        assert await process.stdout.read()
    assert await process.wait() == 0


async def test_parameters_that_do_not_fit(host: Host) -> None:
    result = await host.run("greet", nmae="Ada")
    assert result.code == 2
    assert "name: Field required" in result.stderr
    assert "nmae: " in result.stderr


@pytest.mark.parametrize("request_", [b"{", b"[]", b'{"params": []}', b"\xff"])
async def test_request_that_is_none(host: Host, request_: bytes) -> None:
    result = await host.run("greet", request=request_)
    assert result.code == 2
    assert "stdin: " in result.stderr
    assert "Traceback" not in result.stderr


async def test_unknown_kind(host: Host) -> None:
    result = await host.run("nope")
    assert result.code == 127
    assert "uses: nope is not installed here" in result.stderr


@pytest.mark.parametrize("arguments", [(), ("a", "b"), ("--help",), ("--describe", "--all")])
async def test_wrong_usage(host: Host, arguments: tuple[str, ...]) -> None:
    result = await host.run(*arguments)
    assert (result.code, result.stdout) == (2, b"")
    assert "usage:" in result.stderr


@pytest.mark.parametrize(
    ("how", "code", "text"), [("told", 3, "the shop is closed\n"), ("raised", 1, "ValueError: boom"), ("exit", 9, "")]
)
async def test_failures(host: Host, how: str, code: int, text: str) -> None:
    result = await host.run("fails", how=how)
    assert result.code == code
    assert text in result.stderr
    assert ("Traceback" in result.stderr) == (how == "raised")
    assert result.outputs == ({} if how == "exit" else {"reached": "yes"})


@pytest.mark.parametrize(("kind", "last"), [("slow", b"cleaned up\n"), ("thread", b"thread ended\n")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_cancels(host: Host, kind: str, last: bytes, number: int) -> None:
    process = await host.start(kind)
    assert process.stdout
    assert await process.stdout.readline() == b"begun\n"
    process.send_signal(number)
    result = await host.finish(process)
    assert (result.code, result.stdout) == (143, last)
    assert result.stderr == ""


async def test_second_signal_ends_a_stubborn_cleanup(host: Host) -> None:
    process = await host.start("slow", request={"params": {"stubborn": True}})
    assert process.stdout
    assert await process.stdout.readline() == b"begun\n"
    process.terminate()
    assert await process.stdout.readline() == b"cleaned up\n"
    process.terminate()
    assert (await host.finish(process)).code == 143


async def test_command_takes_the_hosts_place(host: Host) -> None:
    process = await host.start("shell", request={"params": {"run": "echo $$; cat; exit 5"}, "stdin": "givén"})
    result = await host.finish(process)
    assert (result.code, result.stdout.decode()) == (5, f"{process.pid}\ngivén")


async def test_command_without_input_finds_an_empty_one(host: Host) -> None:
    assert (await host.run("shell", run="cat; echo end")).stdout == b"end\n"


async def test_command_that_ends_by_a_signal(host: Host) -> None:
    assert (await host.run("shell", run="kill -KILL $$")).code == -signal.SIGKILL


async def test_script_is_its_owners_and_goes_with_the_attempt(host: Host) -> None:
    script = "#!/usr/bin/env python3\nimport sys, os\nprint(sys.argv, oct(os.stat(sys.argv[0]).st_mode))\n"
    result = await host.run("script", script=script, args=["a b"])
    path = host.output.with_suffix(".script")
    assert result.stdout.decode() == f"{[str(path), 'a b']} 0o100700\n"
    Spares(str(host.folder)).discard(str(host.folder), "attempt", shared=False)
    assert not path.exists()


async def test_nothing_restarts_the_machine_where_nobody_has_noted_that_it_will(host: Host) -> None:
    result = await host.run("reboot", command=f"touch {host.folder}/witness")
    assert (result.code, (host.folder / "witness").exists()) == (125, False)
    assert "waits for no restart" in result.stderr


async def test_command_that_is_not_there(host: Host) -> None:
    result = await host.run("absent")
    assert result.code == 127
    assert "/nowhere/program: not found" in result.stderr


async def test_settings_reach_the_plugin(host: Host) -> None:
    request = {"params": {}, "plugins": {"greet": {"city": "Wien"}}}
    assert (await host.run("settings", request=request)).stdout == b"Wien\n"


async def test_disabled_plugin_runs_nothing(host: Host) -> None:
    result = await host.run("greet", request={"params": {"name": "Ada"}, "plugins": {"disabled": ["greet"]}})
    assert result.code == 127
    described = await host.run("--describe", "--settings", request={"plugins": {"disabled": ["greet"]}})
    assert "greet" not in {entry["kind"] for entry in json.loads(described.stdout)}


BROKEN: list[tuple[str, str]] = [
    ("import nothing_like_this", "ModuleNotFoundError"),
    ("x = 1", "it implements no hook"),
    ("from plugin_greet import register_executors", "is also registered by"),
]


@pytest.mark.parametrize(("source", "reason"), BROKEN)
async def test_broken_plugin_is_named_with_its_distribution(host: Host, source: str, reason: str) -> None:
    install_plugin(host.packages, "wrong", source)
    result = await host.run("--describe")
    assert result.code == 125
    assert "wrong (dist-wrong 1.0)" in result.stderr
    assert reason in result.stderr
    assert "Traceback" not in result.stderr
    host.environment["PLUMBER_DISABLE_PLUGINS"] = "wrong"
    assert (await host.run("--describe")).code == 0


async def test_other_plugins_are_not_loaded_for_a_step(host: Host) -> None:
    install_plugin(host.packages, "heavy", "raise RuntimeError('loaded for nothing')")
    assert (await host.run("greet", name="Ada")).code == 0
    assert (await host.run("shell", run="true")).code == 0


async def test_module_in_the_steps_folder_is_never_imported(host: Host) -> None:
    (host.work / "json.py").write_text("raise SystemExit('taken over')")
    (host.work / "plugin_greet.py").write_text("raise SystemExit('taken over')")
    assert (await host.run("greet", name="Ada")).code == 0


async def test_output_pipe_that_nobody_reads_does_not_keep_a_step_from_being_cancelled(host: Host) -> None:
    source = GREET.replace('await ctx.print("begun")', 'await ctx.print("begun"); await ctx.print("x" * 1_000_000)')
    (host.packages / "plugin_greet.py").write_text(source)
    process = await host.start("slow")
    assert process.stdout
    assert await process.stdout.readline() == b"begun\n"
    process.terminate()
    result = await host.finish(process)
    assert result.code == 143
