"""From an assignment to the command that the supervisor spawns: arguments, environment, folder, input."""

from __future__ import annotations

import functools
import json
import os
import pwd
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plumber_core.model.restarts import return_within
from plumber_core.plugins.settings import DISABLE_VARIABLE, FOLDER_VARIABLE
from plumber_core.protocol.messages import Assignment, StepSpec
from plumber_core.runner.supervision import Command

INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR")
"""All that a clean environment takes over from the agent."""
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OF_PLUGINS = (DISABLE_VARIABLE, FOLDER_VARIABLE)
OF_PROVIDERS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts an agent's credentials: for the executor host, which takes it away from the command."""
OWN_PREFIX = "PLUMBER_"
"""The agent's own settings, an enrolment token among them, never reach a command."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where commands run: on which agent, in which folder, with what around them."""

    agent: str
    name: str
    workdir: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    plugins: Mapping[str, Any] = field(default_factory=dict)
    """The ``[plugins]`` table of this agent."""


def build_command(assignment: Assignment, around: Surroundings, renewed: float = 0.0) -> Command:
    """Return what the supervisor has to spawn for an assignment; ``renewed`` is from when ``stop_after`` counts."""
    spec = assignment.spec
    given = {name: str(value) for name, value in spec.env.items()}
    environment = _inherited(spec, around.environment) | given | _told(assignment, around) | _for_host(spec, around)
    return Command(
        argv=_host(spec) if _is_hosted(spec) else _shell(spec),
        env=environment,
        path=str(around.workdir / spec.path) if spec.path else str(around.workdir),
        timeout=spec.timeout,
        idle_timeout=spec.idle_timeout,
        grace=spec.grace,
        stdin=_stdin(spec, around),
        stop_after=spec.stop_after,
        renewed=renewed,
        restarts=return_within(spec.uses, spec.params),
        masked=bool(spec.secrets),
    )


def _is_hosted(spec: StepSpec) -> bool:
    """Whether the executor host begins it: plain commands need none, unless somebody has to fetch their secrets."""
    return spec.uses != "shell" or bool(spec.secrets)


def _shell(spec: StepSpec) -> tuple[str, ...]:
    run, shell = str(spec.params.get("run", "")), spec.params.get("shell")
    if shell:
        return (*_words(str(shell)), "-c", run)
    return ("/bin/sh", "-e", "-c", run) if spec.clean_environment else ("sh", "-c", run)


def _words(shell: str) -> list[str]:
    """Split an interpreter's command line; one that cannot be split is left to fail where it is started."""
    try:
        return shlex.split(shell) or [shell]
    except ValueError:
        return [shell]


def _host(spec: StepSpec) -> tuple[str, ...]:
    # -P: a module in the step's folder must never stand in for one of ours.
    return (sys.executable, "-P", "-m", "plumber_core.runner.executor_host", spec.uses)


def _stdin(spec: StepSpec, around: Surroundings) -> bytes | None:
    if _is_hosted(spec):
        asked = {"params": spec.params, "stdin": spec.stdin, "plugins": around.plugins, "secrets": spec.secrets}
        return json.dumps({key: value for key, value in asked.items() if value is not None}, default=str).encode()
    return None if spec.stdin is None else spec.stdin.encode("utf-8", "replace")


def _inherited(spec: StepSpec, environment: Mapping[str, str]) -> dict[str, str]:
    if not spec.clean_environment:
        return {name: value for name, value in environment.items() if not name.startswith(OWN_PREFIX)}
    clean = {name: environment[name] for name in INHERITED if name in environment}
    return _account(clean) | {"PATH": DEFAULT_PATH} | clean


def _account(known: Mapping[str, str]) -> dict[str, str]:
    """Return HOME, USER and LOGNAME of the account that the agent runs as: service managers may leave them out."""
    if {"HOME", "USER", "LOGNAME"} <= known.keys():
        return {}
    return _account_of(os.getuid())


@functools.cache
def _account_of(user: int) -> dict[str, str]:
    try:
        account = pwd.getpwuid(user)
    except KeyError:
        return {"HOME": "/"}
    return {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}


def _for_host(spec: StepSpec, around: Surroundings) -> dict[str, str]:
    """What is disabled or added on this agent is so where its executors run, too."""
    if not _is_hosted(spec):
        return {}
    names = (*OF_PLUGINS, OF_PROVIDERS) if spec.secrets else OF_PLUGINS
    given = {name: around.environment[name] for name in names if around.environment.get(name)}
    # Seen from the agent's own folder: the step has another one.
    return given | {name: str(Path(value).absolute()) for name, value in given.items() if name == FOLDER_VARIABLE}


def _told(assignment: Assignment, around: Surroundings) -> dict[str, str]:
    spec = assignment.spec
    return {
        "PLUMBER_EXECUTION": spec.execution,
        "PLUMBER_TASK": spec.task,
        "PLUMBER_STEP": spec.step,
        "PLUMBER_STEP_INDEX": str(spec.index),
        "PLUMBER_ATTEMPT": assignment.attempt,
        "PLUMBER_AGENT": around.agent,
        "PLUMBER_AGENT_NAME": around.name,
    }
