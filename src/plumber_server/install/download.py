"""``plumber-server wheels``: the agent's packages for targets that are not like this machine."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from plumber_core.errors import StartupError
from plumber_core.locales import preferred_language, translate
from plumber_server.install.shelf import LOCK

PLATFORMS = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
MUSL = ("musllinux_1_2", "musllinux_1_1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("folder", type=Path, help="where they are kept; start the server with PLUMBER_WHEELS=FOLDER")
    parser.add_argument("--python", required=True, metavar="3.N", type=_python, help="the targets' Python, as 3.12")
    parser.add_argument("--machine", default=platform.machine(), help="the targets' `uname -m` (default: %(default)s)")
    parser.add_argument("--musl", action="store_true", help="the targets have musl instead of glibc, as Alpine does")


def download(options: argparse.Namespace) -> None:
    """Fetch the pinned packages, each with its known SHA-256, from this machine's package index.

    Raises: StartupError.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(list(_command(options)), check=False)
    if result.returncode:
        raise StartupError(reason="pip could not fetch the wheels, see above")
    count = len(list(options.folder.glob("*.whl")))
    sentence = translate(
        "{count} wheels in {folder}. Start the server with PLUMBER_WHEELS={folder}.", preferred_language()
    )
    sys.stdout.write(sentence.format(count=count, folder=options.folder.absolute()) + "\n")


def _command(options: argparse.Namespace) -> Iterator[str]:
    yield from (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps")
    yield from ("--only-binary", ":all:", "--require-hashes", "-r", str(Path(__file__).with_name(LOCK)))
    yield from ("--dest", str(options.folder), "--implementation", "cp", "--python-version", options.python)
    for name in MUSL if options.musl else PLATFORMS:
        yield from ("--platform", f"{name}_{options.machine}")


def _python(text: str) -> str:
    major, _, minor = text.partition(".")
    if major != "3" or not minor.isdigit() or int(minor) < 11:
        raise argparse.ArgumentTypeError(f"{text!r} is not 3.11 or newer")
    return text
