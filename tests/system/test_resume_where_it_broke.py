"""O6: fifty hosts, four steps, three hosts fail at the second one: what is left runs again, and nothing else does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Literal

from plumber_client import AsyncClient
from plumber_core.model.views import ExecutionDetail
from plumber_core.protocol.messages import Assignment
from support.programs import RunningServer
from support.swift_agent import swift_agents
from support.waiting import wait_until

HOSTS = [f"web-{number:02}" for number in range(50)]
BROKEN = {"web-07", "web-23", "web-41"}
STEPS = ("check", "install", "start", "verify")


def source(install: str) -> str:
    runs = {name: name for name in STEPS} | {"install": install}
    steps = [f"  - {{name: {name}, run: {runs[name]}}}" for name in STEPS]
    return "\n".join(["name: release", "on: role=web", "steps:", *steps])


class Hosts:
    """Hosts on which ``install`` fails until its command is the fixed one."""

    def __init__(self) -> None:
        self.ran: Counter[tuple[str, str]] = Counter()

    def __call__(self, name: str, given: Assignment) -> Literal["failed"] | None:
        self.ran[given.spec.step, name] += 1
        return "failed" if name in BROKEN and given.spec.params == {"run": "broken"} else None

    def times(self, step: str, hosts: Iterable[str]) -> set[int]:
        return {self.ran[step, host] for host in hosts}


async def ended(client: AsyncClient, execution: str) -> ExecutionDetail:
    async def over() -> bool:
        return (await client.executions.show(execution=execution)).ended_at is not None

    await wait_until(over, 60, "it to end")
    return await client.executions.show(execution=execution)


async def test_only_what_is_left_runs_again_from_the_failed_step_with_the_fixed_revision(
    database_url: str, start_server: Callable[..., RunningServer]
) -> None:
    server, hosts = start_server(database_url), Hosts()
    configs: dict[str, Any] = {
        name: server.call("agent.create", name=name, labels={"role": "web"})["config"] for name in HOSTS
    }
    well = [name for name in HOSTS if name not in BROKEN]
    async with swift_agents(configs, [server.url], hosts), AsyncClient(server.url, server.token) as client:
        await client.tasks.apply(source=source("broken"))
        execution = (await client.tasks.run(task="release")).id
        stopped = await ended(client, execution)
        assert stopped.counts == {"succeeded": 97, "failed": 3, "skipped": 100}
        await client.tasks.apply(source=source("fixed"))
        preview = await client.executions.preview_resume(execution=execution, what="failed", revision="new")
        assert {host.name for host in preview.hosts} == BROKEN
        assert "-  - {name: install, run: broken}\n+  - {name: install, run: fixed}" in preview.diff
        await client.executions.resume(execution=execution, what="failed", revision="new", reason="fixed")
        partly = await ended(client, execution)
        assert (partly.state, partly.problem) == ("failed", {"code": "left_out", "arguments": {"steps": 94}})
        assert hosts.times("verify", BROKEN) == {1} and hosts.times("start", well) == {0}
        await client.executions.resume(execution=execution)
        whole = await ended(client, execution)
    assert (whole.state, whole.counts, whole.revision) == ("succeeded", {"succeeded": 200}, 2)
    assert hosts.times("check", HOSTS) == hosts.times("install", well) == {1}
    assert hosts.times("install", BROKEN) == {2}
    assert hosts.times("start", HOSTS) == hosts.times("verify", HOSTS) == {1}
    operations = server.call("execution.step", execution=execution, step=1, host="web-07")["operations"]
    assert [(one["kind"], one["data"]["reason"]) for one in operations] == [
        ("execution.resumed", "fixed"),
        ("execution.resumed", ""),
    ]
