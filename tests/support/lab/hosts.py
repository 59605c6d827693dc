"""Hosts in network namespaces of their own, joined to this machine by a line that can be cut, narrowed and lossy."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

PREFIX = "plumberlab"
_PROGRAMS = ("ip", "nft", "ss", "tc")
_NUMBERS = itertools.count()


@functools.cache
def why_no_hosts() -> str:
    """Return why this machine lets us have no hosts, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if missing := [program for program in _PROGRAMS if not _found(program)]:
        return f"not installed: {', '.join(missing)} (tools/lab.sh)"
    name = f"{PREFIX}-{os.getpid()}-try"
    try:
        _run("ip", "netns", "add", name)
        _run("ip", "netns", "exec", name, "nft", "add table inet faults")
    except RuntimeError as error:
        return f"no network namespaces here: {error}"
    finally:
        with contextlib.suppress(RuntimeError):
            _run("ip", "netns", "del", name)
    return ""


def _found(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def _run(program: str, *arguments: str, given: str = "") -> str:
    found = _found(program) or program
    done = subprocess.run([found, *arguments], input=given, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Host:
    """One host: ``address`` is its own, ``gateway`` this machine's at the other end of the line."""

    def __init__(self) -> None:
        number = secrets.randbelow(1 << 16)
        self.name = f"{PREFIX}-{os.getpid()}-{next(_NUMBERS)}"
        self._near, self._far = f"pl{number:04x}a", f"pl{number:04x}b"
        network = f"10.{200 + number // 16384}.{number // 64 % 256}"
        self.gateway, self.address = (f"{network}.{number % 64 * 4 + host}" for host in (1, 2))

    def open(self) -> None:
        """Make the namespace and its line."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self.name)
        _run("ip", "addr", "add", f"{self.gateway}/30", "dev", self._near)
        _run("ip", "link", "set", self._near, "up")
        for words in (
            f"addr add {self.address}/30 dev {self._far}",
            f"link set {self._far} up",
            "link set lo up",
            f"route add default via {self.gateway}",
        ):
            _run("ip", "-n", self.name, *words.split())

    def close(self) -> None:
        """Remove everything; the line goes with the namespace."""
        with contextlib.suppress(RuntimeError):
            _run("ip", "netns", "del", self.name)
        with contextlib.suppress(RuntimeError):
            # The kernel removes a namespace when it has time, and its line with it.
            _run("ip", "link", "del", self._near)
        shutil.rmtree(Path("/etc/netns", self.name), ignore_errors=True)

    @property
    def inside(self) -> tuple[str, ...]:
        """What stands before a command that runs on this host."""
        return (str(_found("ip")), "netns", "exec", self.name)

    def run(self, program: str, *arguments: str, given: str = "") -> str:
        """Run a program of the system on this host and return its output."""
        return _run(*self.inside, str(_found(program)), *arguments, given=given)

    def file(self, name: str, text: str) -> None:
        """Give this host a file of its own in /etc, such as ``hosts``, for programs started from now on."""
        folder = Path("/etc/netns", self.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def cut(self, *, out: bool = False, back: bool = False) -> None:
        """Drop everything that this host sends (``out``) or gets (``back``)."""
        self._filter(out="drop" if out else "", back="drop" if back else "")

    def cut_ports(self, ports: list[int]) -> None:
        """Drop what belongs to connections from these local ports, as a router that has forgotten them."""
        listed = ", ".join(map(str, ports))
        self._filter(out=f"tcp sport {{ {listed} }} drop", back=f"tcp dport {{ {listed} }} drop")

    def swallow(self, addresses: Iterable[str]) -> None:
        """Drop what goes to these addresses: nobody is there, and nobody says so."""
        rules = (f"{'ip6' if ':' in address else 'ip'} daddr {address} drop" for address in addresses)
        self._filter(out="; ".join(rules))

    def lose(self, percent: int) -> None:
        """Drop so many packets of a hundred, each way."""
        rule = f"numgen random mod 100 < {percent} drop"
        self._filter(out=rule, back=rule)

    def heal(self) -> None:
        """Drop nothing any more."""
        self._filter()

    def _filter(self, *, out: str = "", back: str = "") -> None:
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority 0; {rule}; }}\n"
            for hook, rule in (("output", out), ("input", back))
            if rule
        )
        self.run("nft", "-f", "-", given=f"table inet faults\nflush ruleset\ntable inet faults {{\n{chains}}}\n")

    def narrow(self, kilobits: int) -> None:
        """Let only so many kilobits a second through, each way."""
        shape = f"root tbf rate {kilobits}kbit burst 4kb latency 2s".split()
        self.run("tc", "qdisc", "replace", "dev", self._far, *shape)
        _run("tc", "qdisc", "replace", "dev", self._near, *shape)

    def reset(self) -> None:
        """Reset every connection of this host; both ends are told."""
        self.run("ss", "-K", "dst", self.gateway)

    def ports(self, server_port: int) -> list[int]:
        """Return the local ports of connections to a port of this machine."""
        listed = self.run("ss", "-Htn", "state", "established", "dport", "=", f":{server_port}")
        return [int(line.split()[2].rpartition(":")[2]) for line in listed.splitlines()]


def remove_stale() -> None:
    """Remove hosts that killed test runs have left."""
    for line in _run("ip", "netns", "list").splitlines():
        name = line.split()[0]
        if name.startswith(f"{PREFIX}-") and not Path("/proc", name.split("-")[1]).exists():
            with contextlib.suppress(RuntimeError):
                _run("ip", "netns", "del", name)
            shutil.rmtree(Path("/etc/netns", name), ignore_errors=True)


@pytest.fixture
def new_host() -> Iterator[Callable[[], Host]]:
    """A function that makes a host; skips the test where there can be none."""
    if reason := why_no_hosts():
        pytest.skip(reason)
    remove_stale()
    with contextlib.ExitStack() as stack:

        def make() -> Host:
            host = Host()
            stack.callback(host.close)
            host.open()
            return host

        yield make
