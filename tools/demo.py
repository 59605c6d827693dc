"""``make demo``: a server, two agents and a task that runs on both, in one terminal.

Everything lives in one folder (``.demo``): remove it to start anew. A second run finds it and starts in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich.cells import set_cell_size

from demo_parts import (
    PROGRAMS,
    Cli,
    DemoError,
    Home,
    Programs,
    clean_environment,
    run_quietly,
    unexpected_end,
    wait_until,
)
from plumber_client import config
from plumber_client.config import Profile
from plumber_core.errors import InvalidRequest
from plumber_core.terminal.language import _

_ROOT = Path(__file__).resolve().parents[1]
_TASK = _ROOT / "examples" / "tasks" / "demo.yaml"
_AGENTS = ("web-1", "web-2")
_PORT = 52281
_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Interrupted(BaseException):
    """Somebody pressed Ctrl-C, closed the terminal or ended the process."""


def main() -> int:
    options = _options()
    home = Home(options.dir.resolve())
    programs = Programs(home.folder)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return _run(options, home, programs)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    except Interrupted:
        return _INTERRUPTED
    finally:
        _end(programs, home)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=_("Show Plumber at work."))
    parser.add_argument("--exit", action="store_true", help=_("end after the run, with its exit code"))
    parser.add_argument("--port", type=int, default=_PORT, help=_("the server's port (make demo PORT=...)"))
    parser.add_argument("--dir", type=Path, default=_ROOT / ".demo", help=_("where everything is kept"))
    return parser.parse_args()


def _run(options: argparse.Namespace, home: Home, programs: Programs) -> int:
    _check_port(options.port)
    home.open()
    url = f"http://127.0.0.1:{options.port}"
    cli = Cli(home.cli)
    print(_("Starting a server and two agents ..."), flush=True)
    _start_server(home, programs, options.port, url)
    _print(_places(home, url))
    before = home.profile()
    _log_in(cli, home, url)
    _start_agents(cli, home, programs, url)
    cli.ask("task", "apply", "-f", str(_TASK))
    code = cli.show("task", "run", "demo", "-p", "version=v1.2.3", "--watch")
    if options.exit:
        return code
    _explain(home, url, logged_in_command(home, before))
    return _serve(programs, home)


def _check_port(port: int) -> None:
    """Refuse a port that is taken: the health check would greet whoever has it.

    Raises: DemoError.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DemoError(
                _(
                    "Port {port} is taken. End what listens there, or choose another: make demo PORT={next}",
                    port=port,
                    next=port + 1,
                )
            ) from None


def _start_server(home: Home, programs: Programs, port: int, url: str) -> None:
    programs.start(
        "server",
        [PROGRAMS / "plumber-server"],
        DATABASE_URL=f"sqlite:///{home.database}",
        SERVER_PORT=str(port),
        PLUMBER_HOST="127.0.0.1",
        PLUMBER_ADMIN_PASSWORD=home.password(),
    )
    wait_until(lambda: _healthy(url), _("the server to be healthy"), programs, home)


def _healthy(url: str) -> bool:
    try:
        with _direct.open(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _log_in(cli: Cli, home: Home, url: str) -> None:
    cli.run("login", url, "--user", "admin", "--password-stdin", stdin=home.password())


def _start_agents(cli: Cli, home: Home, programs: Programs, url: str) -> None:
    for name in _AGENTS:
        identity, work = home.agents / name / "agent.json", home.agents / name / "work"
        work.mkdir(parents=True, exist_ok=True)
        options = ["--config", identity, "--workdir", work, "--state-dir", identity.with_name("state"), "--kill"]
        if identity.exists():
            _move(identity, url)
        else:
            _enrol(cli, name, identity, url)
        programs.start(name, [PROGRAMS / "plumber-agent", *options])
    wait_until(lambda: _online(cli), _("both agents to be online"), programs, home)


def _enrol(cli: Cli, name: str, identity: Path, url: str) -> None:
    """Exchange a one-time token for agent.json over the network, as on any server.

    Raises: DemoError.
    """
    token = cli.ask("agent", "enroll", "--name", name, "--label", "role=web")["token"]
    command = ["plumber-agent", "--enroll", url, "--name", name, "--config", str(identity)]
    run_quietly(command, {**clean_environment(), "PLUMBER_ENROLL_TOKEN": token})


def _move(identity: Path, url: str) -> None:
    """Point an agent of an earlier run to the port of this one."""
    values = json.loads(identity.read_text())
    identity.write_text(json.dumps({**values, "server_addr": url}))


def _online(cli: Cli) -> bool:
    found = {agent["name"]: agent["presence"] for agent in cli.ask("agent", "list")["items"]}
    return all(found.get(name) == "online" for name in _AGENTS)


def _explain(home: Home, url: str, command: str) -> None:
    _print(
        [
            *_places(home, url),
            (_("Try"), f"{command} task list"),
            ("", f"{command} exec --on role=web -- uptime"),
            ("", f"{command} task run demo -p version=v1.2.4 --watch"),
        ]
    )


def _places(home: Home, url: str) -> list[tuple[str, str]]:
    return [(_("Page"), url), (_("Login"), f"admin  {home.password()}")]


def _print(rows: list[tuple[str, str]]) -> None:
    print("\n" + "\n".join(f"{set_cell_size(name, 7)} {value}" for name, value in rows), flush=True)


def logged_in_command(home: Home, before: Profile) -> str:
    """Return how to call the CLI, logged in.

    The user's own CLI is logged in too, unless it knows a server already that is not an earlier run of this demo.
    """
    program = os.path.relpath(PROGRAMS / "plumber")
    try:
        if config.stored() in (Profile(), before):
            config.store(home.profile())
            return program
    except InvalidRequest:
        pass  # A home that cannot be read or written: the longer command works all the same.
    return f"PLUMBER_CONFIG_DIR={os.path.relpath(home.cli)} {program}"


def _serve(programs: Programs, home: Home) -> int:
    print("\n" + _("Serving until Ctrl-C."), flush=True)
    try:
        while (name := programs.ended()) is None:
            time.sleep(0.5)
    except Interrupted:
        return 0
    raise unexpected_end(name, home)


def _end(programs: Programs, home: Home) -> None:
    """End everything within five seconds: agents first, so that they can still say goodbye to the server."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    programs.end([name for name in programs.names if name != "server"], 2.5)
    home.kill_what_is_left()
    programs.end(["server"], 1.5)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted


if __name__ == "__main__":
    sys.exit(main())
