"""The command line, and the PLUMBER_AGENT_* variables that stand in for it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from plumber_core.model.limits import AGENT_SLOTS
from plumber_core.version import __version__

PREFIX = "PLUMBER_AGENT_"
DRAIN_HELP = "when stopped, wait this long for running commands to end, and take no new ones (default: %(default)s)"
SETTINGS_HELP = "TOML file with the [plugins] of this server (default: agent.toml beside agent.json, if it exists)"
TOKEN_VARIABLE = "PLUMBER_ENROLL_TOKEN"  # noqa: S105 - the name of a variable


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; exits with 2 and a usage line when it is wrong."""
    return make_parser().parse_args(arguments)


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(
        prog="plumber-agent",
        description="Runs steps on this server for a Plumber control plane. It dials out and listens on nothing.",
        epilog=f"Each option may be given as {PREFIX}<OPTION> in the environment instead.",
    )
    _add_running(parser)
    _add_enrolment(parser)
    _add_check(parser)
    parser.add_argument("--version", action="version", version=f"plumber-agent {__version__}")
    return parser


def _add_running(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--config", type=Path, default=Path(_env("CONFIG", "agent.json")), help="agent.json (default: ./agent.json)")
    add("--workdir", type=Path, default=Path(_env("WORKDIR", ".")), help="where steps run that name no path")
    add("--state-dir", type=Path, default=_path("STATE_DIR"), help="journal and logs (default: by user and agent id)")
    add("--settings", type=Path, default=_path("SETTINGS"), help=SETTINGS_HELP)
    add("--slots", type=_slots, default=_env("SLOTS", str(AGENT_SLOTS)), help="commands at once (default: %(default)s)")
    add("--label", type=_label, action="append", default=_labels(), metavar="KEY=VALUE", help="a fact for targets")
    add("--drain", type=_seconds, default=_env("DRAIN", "0"), metavar="SECONDS", help=DRAIN_HELP)
    add("--kill", action="store_true", help="when stopped, end running commands too instead of leaving them")
    add("-v", "--verbose", action="store_true", help="say more")
    add("--print-unit", action="store_true", help="print a systemd unit for this agent and exit")


def _add_enrolment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("enrolment")
    group.add_argument(
        "--enroll",
        metavar="URL",
        help=f"get an agent.json with a one-time token, read from {TOKEN_VARIABLE} or standard input, and exit",
    )
    group.add_argument("--name", default=_env("NAME", os.uname().nodename), help="the new agent's name")
    group.add_argument("--token-env", metavar="VARIABLE", default=TOKEN_VARIABLE, help="where the token stands")


def _add_check(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="check-unit", title="instead of running")
    check = actions.add_parser("check-unit", help="say what in a systemd unit would end commands with the agent")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the unit, then its drop-ins in order")


def _env(name: str, default: str) -> str:
    return os.environ.get(PREFIX + name) or default


def _path(name: str) -> Path | None:
    value = os.environ.get(PREFIX + name)
    return Path(value) if value else None


def _labels() -> list[tuple[str, str]]:
    return [_label(pair.strip()) for pair in _env("LABELS", "").split(",") if pair.strip()]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 7 * 86400:
        raise argparse.ArgumentTypeError("must be a number of seconds, at most a week")
    return value


def _slots(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1000")
    return int(text)


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
