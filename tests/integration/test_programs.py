"""Executors in any language: a program in a folder is announced with its schema, checked on save and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import ValidationFailed

EXAMPLE = Path(__file__).parents[2] / "examples" / "programs" / "disk-free.sh"


def host(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the executor host as an agent does."""
    environment = {"PATH": os.environ["PATH"], "PLUMBER_PLUGIN_FOLDER": str(folder)}
    output = {"PLUMBER_OUTPUT": str(folder / "_output")}
    command = [sys.executable, "-P", "-m", "plumber_core.runner.executor_host", *arguments]
    return subprocess.run(
        command, input=stdin, env=environment | output, cwd=folder, capture_output=True, text=True, check=False
    )


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program(tmp_path, EXAMPLE.name, EXAMPLE.read_text())
    (tmp_path / "notes.txt").write_text("no program")
    return tmp_path


def test_it_is_announced_beside_one_that_cannot_say_what_it_is(folder: Path) -> None:
    program(folder, "mute", "#!/bin/sh\necho nonsense\n")
    found: dict[str, Any] = {one["kind"]: one for one in json.loads(host(folder, "--describe").stdout)}
    assert found["disk-free"]["summary"] == "Fails when a folder's disk is fuller than it may be."
    assert found["disk-free"]["schema"]["required"] == ["path"]
    assert found["mute"]["summary"].startswith("mute describe failed: JSONDecodeError")
    assert "notes" not in found and "shell" in found


def test_it_runs_with_its_parameters_and_hands_its_output_on(folder: Path) -> None:
    ran = host(folder, "disk-free", stdin=json.dumps({"params": {"path": "/", "most": 100}, "stdin": "not this"}))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("/ is ") and (folder / "_output").read_text().startswith("used=")


async def test_a_task_that_uses_it_wrongly_is_refused(
    sqlite_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBER_PLUGIN_FOLDER", str(folder))
    async with Plumber(sqlite_url) as plumber:
        task = "{{name: t, on: all, steps: [{{name: a, uses: disk-free, with: {}}}]}}"
        with pytest.raises(ValidationFailed) as refused:
            await plumber.tasks.apply(source=task.format("{path: /, most: 200}"))
        [problem] = refused.value.arguments["problems"]
        assert problem["message"] == "most of disk-free must be at most 100."
        detail = await plumber.run(task.format("{path: /, most: 100}"))
        assert (detail.state, detail.steps[0].attempts[0].outputs.keys()) == ("succeeded", {"used"})
