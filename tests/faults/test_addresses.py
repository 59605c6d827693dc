"""Certificates that are not the server's, names that do not resolve, addresses where nobody answers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.lab.hosts import Host
from support.lab.proxy import FaultProxy
from support.loads import Load
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync
from support.witness import Witness


class Authority:
    """A certificate authority for tests, with the certificates that it issued."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self._key, "-out", self.certificate,
                  "-days", "30", "-subj", f"/CN={name}")  # fmt: skip

    def issue(self, name: str, host: str, *, at: str = "") -> tuple[Path, Path]:
        """Issue a certificate for a host that is good for a day, as at another time when ``at`` names one."""
        key, request, certificate = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        extension = self._folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={host}\n")
        self._run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._run("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-days", "1",
                  "-extfile", extension, "-out", certificate, before=["faketime", at] if at else [])  # fmt: skip
        return certificate, key

    def _run(self, *arguments: str | Path, before: list[str] | None = None) -> None:
        command = [*(before or []), "openssl", *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder)


@dataclass
class Secured:
    """An agent that reaches its server over TLS, and the certificate that is shown to it."""

    load: Load
    agent: RunningAgent
    proxy: FaultProxy
    shown: ssl.SSLContext
    good: tuple[Path, Path]
    bad: dict[str, tuple[Path, Path]]


@pytest.fixture
def secured(
    sqlite_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> Iterator[Secured]:
    if missing := [program for program in ("openssl", "faketime") if not shutil.which(program)]:
        pytest.skip(f"not installed: {', '.join(missing)} (tools/lab.sh)")
    ours, other = Authority(tmp_path / "ours", "ours"), Authority(tmp_path / "other", "other")
    good = ours.issue("good", "IP:127.0.0.1")
    bad = {
        "certificate has expired": ours.issue("old", "IP:127.0.0.1", at="2020-01-01 00:00:00"),
        "IP address mismatch": ours.issue("elsewhere", "DNS:elsewhere.example"),
        "unable to get local issuer certificate": other.issue("unknown", "IP:127.0.0.1"),
    }
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(*good)
    server = start_server(sqlite_url)
    with FaultProxy(int(server.url.rpartition(":")[2]), tls=shown) as proxy:
        env = {"SSL_CERT_FILE": str(ours.certificate)}
        agent = start_agent(server, "one", server_addr=proxy.address, **env)
        load = Load(server, [agent], Witness(tmp_path / "witness"))
        yield Secured(load, agent, proxy, shown, good, bad)


@pytest.mark.row(63)
def test_a_certificate_that_is_not_the_servers_is_refused_with_the_reason_and_running_steps_go_on(
    secured: Secured,
) -> None:
    for reason, pair in secured.bad.items():
        secured.load.start(1, steps=2, seconds=3)
        secured.load.wait_until_begun()
        secured.shown.load_cert_chain(*pair)
        secured.proxy.cut()
        secured.agent.process.wait_for_output(reason, 60)
        assert secured.agent.process.exit_code is None
        secured.shown.load_cert_chain(*secured.good)
        secured.load.prove()


NAME = "plumber.test"
NOBODY = ("fd77::1", "10.255.255.1")
"""Addresses that swallow everything."""


class Named(Load):
    """An agent on a host of its own that knows its server by name."""

    def __init__(self, server: RunningServer, agent: RunningAgent, host: Host, witness: Witness) -> None:
        super().__init__(server, [agent], witness)
        self.agent, self.host = agent, host

    def greetings(self) -> int:
        return self.agent.process.output().count("Connected as")


@pytest.fixture
def named(
    sqlite_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    new_host: Callable[[], Host],
    tmp_path: Path,
) -> Named:
    host = new_host()
    host.file("hosts", f"127.0.0.1 localhost\n{host.gateway} {NAME}\n")
    host.file("resolv.conf", "nameserver 127.0.0.1\n")
    server = start_server(sqlite_url, PLUMBER_HOST="0.0.0.0")
    address = f"http://{NAME}:{server.url.rpartition(':')[2]}"
    agent = start_agent(server, "one", server_addr=address, inside=host.inside)
    return Named(server, agent, host, Witness(tmp_path / "witness"))


@pytest.mark.row(64)
def test_while_the_name_does_not_resolve_steps_go_on_and_afterwards_everything_is_told(named: Named) -> None:
    named.start(2, steps=2, seconds=2)
    named.wait_until_begun()
    named.host.file("hosts", "127.0.0.1 localhost\n")
    named.host.reset()
    named.agent.process.wait_for_output("cannot reach", 60)
    assert "name" in named.agent.process.output().rpartition("cannot reach")[2]
    named.host.file("hosts", f"127.0.0.1 localhost\n{named.host.gateway} {NAME}\n")
    named.prove()


@pytest.mark.row(64)
def test_addresses_where_nobody_answers_are_passed_over(named: Named) -> None:
    named.host.swallow(NOBODY)
    lines = "".join(f"{address} {NAME}\n" for address in (*NOBODY, named.host.gateway))
    named.host.file("hosts", f"127.0.0.1 localhost\n{lines}")
    before = named.greetings()
    named.host.reset()
    wait_until_sync(lambda: named.greetings() > before, 60, "a connection to the address that answers")
    named.start(1)
    named.prove()
