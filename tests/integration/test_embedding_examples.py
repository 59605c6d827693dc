"""The embedding examples, run for real: a script, and two host applications with Plumber mounted in them."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from support.processes import Processes, free_port
from support.waiting import wait_until_sync

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_script_runs_three_steps_in_order(processes: Processes) -> None:
    script = processes.start("script", [sys.executable, EXAMPLES / "embed_script.py"])
    assert script.wait(30) == 0
    assert script.output().split() == ["succeeded", "dump=succeeded", "check=succeeded", "tell=succeeded"]


@pytest.mark.parametrize("example", ["embed_starlette", "embed_litestar"])
def test_a_host_application_serves_plumber_beside_its_own_routes(example: str, processes: Processes) -> None:
    port = free_port()
    options = ["--app-dir", EXAMPLES, "--port", str(port), "--log-level", "warning"]
    host = processes.start(
        example,
        [sys.executable, "-m", "uvicorn", *options, f"{example}:app"],
        DATABASE_URL=f"sqlite:///{processes.folder}/ops.db",
    )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        wait_until_sync(lambda: _health(client) == 200, 30, f"{example} to be healthy")
        begun = client.post("/clean").json()
        assert begun["state"] == "succeeded"
        assert client.post("/plumber/api/execution.show", json={"execution": begun["id"]}).status_code == 401
        assert client.get("/plumber/openapi.json").json()["openapi"].startswith("3.1")
    assert "Warning" not in host.output()


def _health(client: httpx.Client) -> int:
    try:
        return client.get("/plumber/health").status_code
    except httpx.TransportError:
        return 0
