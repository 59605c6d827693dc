"""Where the command line keeps its server, and whom it sends the credential to."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from plumber_client.config import (
    BadConfiguration,
    NoServer,
    Profile,
    config_file,
    current,
    store,
    stored,
    write_private,
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PLUMBER_CONFIG_DIR": str(tmp_path / "conf")}


def test_what_is_stored_is_read_and_private(environment: dict[str, str]) -> None:
    profile = Profile("https://s", 'plm_"\\é', "admin")
    file = store(profile, environment)
    assert stored(environment) == current(environment) == profile
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [f.name for f in file.parent.iterdir()] == ["config.toml"]


def test_without_anything_there_is_no_server(environment: dict[str, str]) -> None:
    with pytest.raises(NoServer):
        current(environment)


def test_the_environment_wins(environment: dict[str, str]) -> None:
    store(Profile("https://s", "plm_a"), environment)
    assert current(environment | {"PLUMBER_TOKEN": "plm_b"}) == Profile("https://s", "plm_b")
    assert current(environment | {"PLUMBER_URL": "https://s/"}).token == "plm_a"


def test_a_stored_token_is_never_sent_to_another_server(environment: dict[str, str]) -> None:
    store(Profile("https://s", "plm_a"), environment)
    assert current(environment | {"PLUMBER_URL": "https://evil"}).token == ""


def test_a_broken_file_is_named(environment: dict[str, str]) -> None:
    config_file(environment).parent.mkdir(parents=True)
    config_file(environment).write_text("url = ")
    with pytest.raises(BadConfiguration, match=r"config\.toml"):
        stored(environment)


def test_the_folder_follows_xdg() -> None:
    assert config_file({"XDG_CONFIG_HOME": "/x"}) == Path("/x/plumber/config.toml")
    assert config_file({"HOME": "/home/a"}) == Path("/home/a/.config/plumber/config.toml")


def test_a_private_file_never_has_an_open_moment_and_leaves_no_draft(tmp_path: Path) -> None:
    file = tmp_path / "agent.json"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(UnicodeEncodeError):
        write_private(file, "\ud800")
    assert [f.name for f in tmp_path.iterdir()] == ["agent.json"]
