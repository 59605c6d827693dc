"""O12: a step restarts its host, the next one goes on there; what the restart cuts off elsewhere is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plumber_core.runner.clock import BOOT_ID_FILE
from support.api import ended, show, start
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync

GO_DOWN = """#!/bin/sh
echo $PLUMBER_ATTEMPT >> {folder}/reboots
echo going down
echo second > {boot}
kill -KILL $(cat {state}/link.lock) $(cat {state}/supervisor.lock) $(cat {folder}/other)
kill -KILL $$
"""


def test_the_next_step_runs_on_the_host_that_came_back_and_it_restarted_once(
    database_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> None:
    boot = tmp_path / "boot"
    boot.write_text("first\n")
    server = start_server(database_url, PLUMBER_LEASE="3s", PLUMBER_SWEEP_INTERVAL="1s")
    agent = start_agent(server, "one", **{BOOT_ID_FILE: str(boot)})
    wait_until_sync(lambda: "reboot" in server.call("agent.show", agent="one")["executors"], 30, "its executors")
    folder, script = agent.workdir, tmp_path / "go-down"
    script.write_text(GO_DOWN.format(folder=folder, boot=boot, state=agent.state_dir))
    script.chmod(0o700)
    other = start(server, {"run": "echo $$ > other; exec sleep 300"}, path=str(folder))
    wait_until_sync(lambda: (folder / "other").exists() and (folder / "other").read_text(), 20, "the other step to run")
    execution = start(
        server,
        {"run": "echo $PLUMBER_ATTEMPT >> before"},
        {"uses": "reboot", "with": {"command": str(script), "timeout": 300}},
        {"run": "echo $AFTER $PLUMBER_ATTEMPT >> after", "env": {"AFTER": "${{ steps.s1.outputs.boot_after }}"}},
        path=str(folder),
    )
    agent.process.wait(30)

    def away() -> dict[str, str] | None:
        step = show(server, execution)["steps"][1]
        return step["waiting"] if step["state"] == "unreachable" else None

    waiting = wait_until_sync(away, 30, "the host to be away")
    assert waiting["code"] == "host_restarts" and waiting["since"] < waiting["until"]
    agent.restart()
    done = ended(server, execution)
    assert [(step["state"], len(step["attempts"])) for step in done["steps"]] == [("succeeded", 1)] * 3
    reboot = done["steps"][1]["attempts"][0]
    assert {"boot_before": "first", "boot_after": "second"}.items() <= reboot["outputs"].items()
    assert (folder / "reboots").read_text().split() == [reboot["id"]]
    assert (folder / "after").read_text().split() == ["second", done["steps"][2]["attempts"][0]["id"]]
    cut = ended(server, other)["steps"][0]
    assert (cut["state"], cut["attempts"][0]["error"]) == ("lost", "rebooted")
