"""The process that runs executors written in Python: ``python -m plumber_core.runner.executor_host KIND``.

It is a child of the supervisor, so its timeout, kill, limits and output are those of any command. stdin is
one JSON object: ``params`` are the step's, ``stdin`` the text for an executor that is a command, ``plugins``
the agent's ``[plugins]`` table, ``secrets`` which variables hold which and where among the parameters they stand. The
environment tells the rest (``PLUMBER_*``).

Exit codes: 0, 1 or the executor's own; 2 parameters that do not fit; 125 the host could not begin; 126 and
127 as a shell has them (cannot start, not found); 143 cancelled.

``--describe`` prints what this machine can run as a JSON list; with ``--settings`` it reads ``plugins`` from
stdin.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumber_core.errors import InvalidRequest, PlumberError
from plumber_core.plugins.contracts.executor import Executor
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.params import describe_executor, load_params
from plumber_core.plugins.settings import PluginSettings
from plumber_core.runner.command_start import start_command
from plumber_core.runner.commands import OF_PROVIDERS
from plumber_core.runner.restarts import VARIABLE
from plumber_core.runner.secret_values import NoSecret, fetch_secrets, filled_in, tell_masks, too_short

USAGE, CANNOT_BEGIN, NOT_FOUND = 2, 125, 127


def main(arguments: list[str] | None = None) -> int:
    """Run one step or describe all executors; return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        match arguments:
            case ["--describe", *options] if set(options) <= {"--settings"}:
                return _describe(_request() if options else {})
            case [kind] if not kind.startswith("-"):
                return _run(kind, _request())
        return _complain("usage: executor_host KIND | --describe [--settings]", USAGE)
    except InvalidRequest as error:
        return _complain(str(error), USAGE)
    except (PlumberError, NoSecret) as error:
        return _complain(str(error), CANNOT_BEGIN)


def _request() -> Mapping[str, Any]:
    try:
        value = json.loads(sys.stdin.buffer.read() or b"{}")
    except ValueError as error:
        raise InvalidRequest(field="stdin", reason=f"not JSON: {error}") from None
    if not isinstance(value, dict) or not isinstance(value.get("params", {}), dict):
        raise InvalidRequest(field="stdin", reason='expected an object with "params"')
    return value


def _manager(request: Mapping[str, Any], only: str | None = None) -> PluginManager:
    manager = PluginManager(PluginSettings.from_table(request.get("plugins") or {}))
    manager.load_installed(only)
    return manager


def _describe(request: Mapping[str, Any]) -> int:
    found = [describe_executor(entry.item) for entry in _manager(request).executors()]
    sys.stdout.write(json.dumps(found, ensure_ascii=True) + "\n")
    return 0


def _run(kind: str, request: Mapping[str, Any]) -> int:
    request = _with_secrets(request)
    if (executor := _find(kind, request)) is None:
        return _complain(f"uses: {kind} is not installed here; see `executor_host --describe`", NOT_FOUND)
    params = load_params(executor, request.get("params", {}))
    if (command := executor.command(params)) is not None:
        if command.restarts_host and not os.environ.get(VARIABLE):
            return _complain("the supervisor here waits for no restart: it is of an older release", CANNOT_BEGIN)
        return start_command(command, request.get("stdin") if command.stdin is None else command.stdin)
    return _run_here(executor, params)


def _with_secrets(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fetch what the step needs, have it hidden in its output, and put it where it belongs."""
    if not (wanted := request.get("secrets")):
        return request
    values = fetch_secrets(_manager(request), wanted["env"])
    tell_masks(values.values())
    os.environ.pop(OF_PROVIDERS, None)
    os.environ.update(values)
    for name in too_short(values):
        sys.stderr.write(f"plumber: secret {name} is so short that it is not hidden in the output\n")
    sys.stderr.flush()
    return {**request, "params": filled_in(request.get("params", {}), wanted["with"], values)}


def _find(kind: str, request: Mapping[str, Any]) -> Executor[Any] | None:
    """Look first in the plugin that has the kind's name: most steps then load no other plugin."""
    for only in (kind, None):
        for entry in _manager(request, only).executors():
            if entry.name == kind:
                return entry.item
    return None


def _run_here(executor: Executor[Any], params: Any) -> int:
    import asyncio

    from plumber_core.runner.context import HostContext
    from plumber_core.runner.step_run import run_until_signalled, write_outputs

    ctx = HostContext.from_environment(dict(os.environ), str(Path.cwd()))
    code = asyncio.run(run_until_signalled(executor, ctx, params))
    if ctx.outputs and (path := os.environ.get("PLUMBER_OUTPUT")):
        write_outputs(ctx.outputs, path)
    return code


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(f"plumber: {sentence}\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
