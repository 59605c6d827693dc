"""A lived-in installation to look at pages in: a fleet, tasks with a history, one execution under way.

Everything is real: agents run commands, and what failed has failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.api import ended
from support.programs import RunningServer, launch_agent, launch_server, opened

AGENTS = {
    "web-1": {"role": "web", "env": "prod", "zone": "a"},
    "web-2": {"role": "web", "env": "prod", "zone": "b"},
    "db-1": {"role": "db", "env": "prod", "zone": "a"},
}
AWAY = {"web-3": {"role": "web", "env": "staging"}, "cache-1": {"role": "cache", "env": "prod"}}

DEPLOY = """\
name: deploy-shop
description: Build once, then install and check on every web server
params:
  version: {type: string, pattern: '^v[0-9.]+$', required: true, description: tag to install}
  level: {type: enum, choices: [info, debug], default: info, description: how much the service logs}
env: {APP_ENV: prod}
on: role=web and env=prod
steps:
  # One build is enough for all.
  - name: build
    on: db-1
    run: |
      printf '\\033[1mBuilding shop %s\\033[0m\\n' "$version"
      for part in core api web assets; do printf '\\033[32m ok \\033[0m %s\\n' "$part"; done
      echo "artifact=shop-${version#v}.tar" >> "$PLUMBER_OUTPUT"
    timeout: 5m
  - name: install
    run: |
      echo "unpacking shop $version on $PLUMBER_AGENT_NAME"
      seq -f 'copied file %03g of 120' 120
      test "$version" != v1.4.2 || test "$PLUMBER_AGENT_NAME" != web-2 ||
        { echo 'error: no space left on device: /opt/shop/releases' >&2; exit 3; }
    timeout: 10m
  - name: restart
    run: |
      echo 'restarted shop.service'
      until [ "$version" != v1.5.0 ] || [ -e "$GATE" ]; do sleep 0.2; done
    env: {GATE: THE_GATE}
  - name: smoke test
    run: echo "GET /health 200"
    on_failure: continue
"""
BACKUP = """\
name: backup-database
description: Dump, check and keep the last seven
on: role=db
steps:
  - {name: dump, run: 'echo "dumped 48 tables"'}
  - {name: check, run: 'echo "restored into a scratch database: 48 tables"', timeout: 10m}
  - {name: prune, run: 'echo "kept 7, removed 1"', on_failure: continue}
"""
CHECK = """\
name: check-disks
description: Fails where a file system is nearly full
on: env=prod and not role=cache
steps:
  - name: look
    run: |
      echo "disk usage on $PLUMBER_AGENT_NAME"
      test "$PLUMBER_AGENT_NAME" != db-1 || { echo 'error: /var is 97 % full' >&2; exit 1; }
"""
FLAKY = """\
name: probe
on: role=web and env=prod
steps:
  - name: probe
    run: |
      echo "listening for $PLUMBER_AGENT_NAME"
      test -e answered || { touch answered; echo 'error: nobody answers yet' >&2; exit 1; }
      echo "latency=12 ms" >> "$PLUMBER_OUTPUT"
    retry: {attempts: 2, delay: 0s}
"""
STAGING = "name: warm-up\non: web-3\nsteps:\n  - {name: warm up, run: 'echo warm'}\n"
POOLED = "name: reindex\non: any 1 of env=staging or role=cache\nsteps:\n  - {name: rebuild, run: 'echo rebuilt'}\n"
DRAFT = "name: rotate-logs\non: role=web\nsteps:\n  - {name: rotate, run: 'echo rotated'}\n"


@dataclass
class Scene:
    """The server, and its executions by what became of them."""

    server: RunningServer
    executions: dict[str, str]


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The installation, on SQLite; its tests leave it as they found it."""
    folder = tmp_path_factory.mktemp("scene")
    with opened(folder, request) as processes:
        server = launch_server(processes, f"sqlite:///{folder / 'plumber.db'}")
        for name, labels in AGENTS.items():
            launch_agent(processes, server, name, labels)
        for name, labels in AWAY.items():
            server.call("agent.create", name=name, labels=labels)
        server.call("agent.drain", agent="cache-1")
        yield _lived_in(server, folder / "gate")


def _lived_in(server: RunningServer, gate: Path) -> Scene:
    for source in (DEPLOY.replace("timeout: 10m", "timeout: 15m"), DEPLOY, BACKUP, CHECK, DRAFT):
        server.call("task.apply", source=source.replace("THE_GATE", str(gate)), note="")
    for _ in range(3):
        ended(server, _run(server, "backup-database", "nightly"))
    for good in [_run(server, "deploy-shop", "", version=f"v1.4.{minor}") for minor in (0, 1)]:
        ended(server, good)
    ended(server, _run(server, "check-disks", ""))
    failed = ended(server, _run(server, "deploy-shop", "release of the week", version="v1.4.2"))["id"]
    ended(server, _run(server, "deploy-shop", "", version="v1.4.3"))
    running = _run(server, "deploy-shop", "summer sale", version="v1.5.0", level="debug")
    retried, waiting, cancelled, pooled = (_start(server, source) for source in (FLAKY, STAGING, STAGING, POOLED))
    server.call("execution.cancel", execution=cancelled, reason="the wrong release")
    for one in (retried, cancelled):
        ended(server, one)
    found = {"failed": failed, "running": running, "waiting": waiting, "retried": retried, "cancelled": cancelled}
    return Scene(server, found | {"pooled": pooled})


def _start(server: RunningServer, source: str) -> str:
    return str(server.call("execution.start", source=source, format="yaml")["id"])


def _run(server: RunningServer, task: str, reason: str, **parameters: str) -> str:
    return str(server.call("task.run", task=task, reason=reason, parameters=parameters)["id"])


@pytest.fixture(scope="session")
def empty_server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server as it is found on the first day: nothing but an administrator."""
    folder = tmp_path_factory.mktemp("empty")
    with opened(folder, request) as processes:
        yield launch_server(processes, f"sqlite:///{folder / 'plumber.db'}")
