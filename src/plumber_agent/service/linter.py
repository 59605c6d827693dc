"""``plumber-agent check-unit``: finds what in a systemd unit would end commands together with the agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from plumber_core.errors import StartupError
from plumber_core.locales import translate

SECTION = "Service"
_NO = ("no", "false", "off", "0")
_LINE_GOES_ON = "\\"


RULES = {
    "empty": "nothing is started",
    "group": "systemd kills the commands and their supervisor whenever the agent is restarted or upgraded",
    "hangup": "commands get SIGHUP when the agent is stopped, which ends most of them",
    "kill": "the agent ends all commands whenever it is restarted or upgraded",
    "memory": "when one command is killed for want of memory, systemd stops the agent too",
    "none": "systemd never stops the agent, so the next one finds its state folder in use",
    "undelegated": "systemd may move processes out of the groups by which the agent kills commands whole",
}
"""What follows from each fault."""


class Finding(NamedTuple):
    """One fault: the setting as it is, what is wrong with it (a key of ``RULES``) and what to write instead."""

    setting: str
    fault: str
    instead: str

    def explain(self, language: str) -> str:
        """Return the finding as a sentence."""
        sentence = translate("{setting}: {reason}. Write {instead}.", language)
        return sentence.format(
            setting=self.setting, reason=translate(RULES[self.fault], language), instead=self.instead
        )


def check_unit(*files: Path) -> list[Finding]:
    """Return what is wrong with a unit; drop-in files follow the unit in the order in which systemd reads them.

    Raises:
        StartupError: a file cannot be read.
    """
    return list(_findings(_settings("\n".join(map(_read, files)))))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise StartupError(reason=f"{path}: {error}") from error


def _settings(text: str) -> dict[str, str]:
    """Return the settings of the service; the last one of a name counts, an empty one takes the default back."""
    section, found = "", {}
    for line in _whole_lines(text):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif section == SECTION and "=" in line:
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return found


def _whole_lines(text: str) -> Iterator[str]:
    whole = ""
    for line in text.splitlines():
        part = line.strip()
        if part.startswith(("#", ";")):
            continue
        if part.endswith(_LINE_GOES_ON):
            whole += part[:-1] + " "
            continue
        yield whole + part
        whole = ""
    yield whole.strip()


def _findings(settings: dict[str, str]) -> Iterator[Finding]:
    command = settings.get("ExecStart", "")
    if not command:
        yield Finding("ExecStart=", "empty", "ExecStart=/.../plumber-agent --config ...")
    if "--kill" in command.split():
        yield Finding("ExecStart=... --kill", "kill", "ExecStart=/.../plumber-agent --config ...")
    for name, (default, good, fault) in _WANTED.items():
        value = settings.get(name) or default
        if value.lower() not in good:
            yield Finding(f"{name}={value}", "none" if value == "none" else fault, f"{name}={good[0]}")
    # A list of controllers delegates as well.
    delegate = settings.get("Delegate") or "no"
    if delegate.lower() in _NO:
        yield Finding(f"Delegate={delegate}", "undelegated", "Delegate=yes")


_WANTED = {
    "KillMode": ("control-group", ("process",), "group"),
    "OOMPolicy": ("continue", ("continue",), "memory"),
    "SendSIGHUP": ("no", _NO, "hangup"),
}
"""Setting -> (default, good values, fault)."""
