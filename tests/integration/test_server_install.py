"""What the server hands out to be installed: the same script for everybody, and files that their manifest knows."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from plumber_core.config import Settings
from plumber_core.errors import NotFound
from plumber_core.model.views import Enrolment
from plumber_server import create_app
from plumber_server.install import packing
from plumber_server.install.shelf import Shelf
from plumber_server.own_address import OwnAddress
from support.fake_plumber import FakePlumber
from support.web_server import asgi_client

TOKEN = "plm_enroll_$(touch pwned)\r\nX-Evil:1"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without any credential."""
    async with asgi_client(create_app(FakePlumber())) as found:  # type: ignore[arg-type]
        yield found


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """The files of this installation."""
    return Shelf()


def listed(manifest: bytes) -> dict[str, str]:
    return {name: digest for digest, name in (line.split("  ") for line in manifest.decode().splitlines())}


async def test_the_script_is_the_same_whatever_is_asked(client: httpx.AsyncClient) -> None:
    plain = await client.get("/install.sh")
    asked = await client.get(
        "/install.sh",
        params={"token": TOKEN, "server": "http://evil.example"},
        headers={"Host": "evil.example", "Accept-Language": "zh", "X-Forwarded-Host": "evil.example"},
    )
    assert plain.status_code == asked.status_code == 200
    assert plain.content == asked.content == Shelf().script
    assert plain.headers["content-type"].startswith("text/plain")
    assert b"plm_" not in plain.content and b"plumber.test" not in plain.content
    assert (await client.head("/install.sh")).headers["content-length"] == str(len(plain.content))


@pytest.mark.parametrize(
    "path",
    ["/install.sh/plm_enroll_x", f"/install/{quote(TOKEN)}", "/install/plm_x/install.sh", "/install/..%2f..%2fetc"],
)
async def test_a_token_in_the_address_is_an_unknown_address(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "x-evil" not in answer.headers


async def test_every_file_of_the_manifest_is_what_the_manifest_says(client: httpx.AsyncClient) -> None:
    files = listed((await client.get("/install/SHA256SUMS")).content)
    assert {"agent.lock"} < set(files)
    for name, digest in files.items():
        answer = await client.get(f"/install/{name}")
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == digest


def test_the_same_installation_always_gives_the_same_files(shelf: Shelf) -> None:
    assert Shelf().manifest() == shelf.manifest()


def test_a_wheel_holds_what_its_record_says(shelf: Shelf) -> None:
    wheels = [name for name in listed(shelf.manifest()) if name.endswith(".whl")]
    assert len(wheels) > len(packing.NEEDS)
    for name in wheels:
        with zipfile.ZipFile(io.BytesIO(shelf.file(name))) as archive:
            [record] = [path for path in archive.namelist() if path.endswith(".dist-info/RECORD")]
            lines = [line.rsplit(",", 2) for line in archive.read(record).decode().splitlines()]
            assert sorted(path for path, _, _ in lines) == sorted(archive.namelist())
            for path, digest, size in lines:
                if path != record:
                    assert (digest, int(size)) == (_digest(archive.read(path)), archive.getinfo(path).file_size)


def _digest(data: bytes) -> str:
    return f"sha256={packing._urlsafe(data)}"


def test_the_agents_wheel_holds_no_server_and_no_page() -> None:
    wheel = packing.pack_agent()
    with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
        rooms = {path.split("/")[0] for path in archive.namelist()}
        [metadata] = [archive.read(path).decode() for path in archive.namelist() if path.endswith("/METADATA")]
        [entries] = [archive.read(path).decode() for path in archive.namelist() if path.endswith("entry_points.txt")]
    assert {room for room in rooms if not room.endswith(".dist-info")} == set(packing.PACKAGES)
    needs = re.findall(r"^Requires-Dist: ([\w-]+)", metadata, re.MULTILINE)
    assert tuple(sorted(needs)) == packing.NEEDS
    assert "plumber-agent = plumber_agent.main:main" in entries and "plumber-server" not in entries
    assert "shell = plumber_core.builtin.shell" in entries


def test_other_machines_get_what_can_do_without_its_compiled_part(shelf: Shelf) -> None:
    [name] = [name for name in listed(shelf.manifest()) if re.match(r"websockets-.*-py3-none-any\.whl", name)]
    with zipfile.ZipFile(io.BytesIO(shelf.file(name))) as archive:
        assert not [path for path in archive.namelist() if path.endswith(packing._COMPILED)]
        [about] = [archive.read(path) for path in archive.namelist() if path.endswith("/WHEEL")]
        assert b"Root-Is-Purelib: true" in about


def test_a_folder_adds_wheels_and_its_own_stand_for_packed_ones(shelf: Shelf, tmp_path: Path) -> None:
    [pluggy] = [name for name in listed(shelf.manifest()) if name.startswith("pluggy-")]
    more = Shelf(tmp_path)
    assert listed(more.manifest()) == listed(shelf.manifest())
    (tmp_path / "core-1-cp399-cp399-manylinux_2_17_riscv64.whl").write_bytes(b"core")
    (tmp_path / pluggy).write_bytes(b"the real one")
    (tmp_path / "notes.txt").write_text("not a wheel")
    files = listed(more.manifest())
    assert set(files) - set(listed(shelf.manifest())) == {"core-1-cp399-cp399-manylinux_2_17_riscv64.whl"}
    assert files[pluggy] == hashlib.sha256(b"the real one").hexdigest()
    assert more.file(pluggy) == b"the real one"
    with pytest.raises(NotFound):
        more.file("notes.txt")


async def test_the_folder_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "core-1-py3-none-any.whl").write_bytes(b"core")
    app = create_app(FakePlumber(), settings=Settings(wheels=tmp_path))  # type: ignore[arg-type]
    async with asgi_client(app) as client:
        assert (await client.get("/install/core-1-py3-none-any.whl")).content == b"core"


async def test_a_server_that_cannot_pack_says_so_and_tries_again(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: str) -> None:
        raise PackageNotFoundError("plumber-fleet")

    with monkeypatch.context() as patched:
        patched.setattr(packing, "distribution", missing)
        answer = await client.get("/install/SHA256SUMS")
    assert answer.status_code == 503 and answer.json()["code"] == "unavailable"
    assert (await client.get("/install/SHA256SUMS")).status_code == 200


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("plumber.example", "http://plumber.example"),
        ("[::1]:8080", "'http://[::1]:8080'"),
        ("x;touch$IFS/pwned#", "'http://x;touch$IFS/pwned#'"),
        ("x'$(id)'", """'http://x'"'"'$(id)'"'"''"""),
    ],
)
def test_the_address_in_the_line_is_one_word_for_a_shell(host: str, address: str) -> None:
    scope: Any = {"scheme": "http", "headers": [(b"host", host.encode())]}
    line = Enrolment(token="t", expires_at=datetime.now(UTC), command="curl {server}/install.sh | sh -s {server}")
    told = OwnAddress(None).complete(line, scope)
    assert told.command == f"curl {address}/install.sh | sh -s {address}"
    assert shlex.split(told.command)[-1] == f"http://{host}"
