"""``plumber plugins``: what is installed is listed, shown and checked; what is broken hides nothing else."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.plugin_packages import install_plugin
from support.processes import PROGRAMS

GREETER = '''
from plumber_core import executor, hookimpl

@executor("{kind}")
async def greet(ctx, name: str) -> None:
    """Greets somebody by name."""

@hookimpl
def register_executors(ctx):
    return [greet]
'''
Plugins = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def plugins(tmp_path: Path) -> Plugins:
    def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), "LANG": "C.UTF-8"} | env
        command = [PROGRAMS / "plumber", "plugins", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)

    return run


def listed(plugins: Plugins, **env: str) -> dict[str, Any]:
    return {one["name"]: one for one in json.loads(plugins("list", "-o", "json", **env).stdout)}


def test_what_is_installed_is_listed_with_what_it_adds(plugins: Plugins, tmp_path: Path) -> None:
    install_plugin(tmp_path, "greeter", GREETER.format(kind="greet"), version="2.1")
    found = listed(plugins)
    assert (found["greeter"]["state"], found["greeter"]["distribution"]) == ("loaded", "dist-greeter 2.1")
    assert found["greeter"]["objects"] == [{"noun": "executors", "name": "greet", "about": "Greets somebody by name."}]
    assert found["shell"]["state"] == "loaded"
    shown = plugins("show", "greeter").stdout
    assert "dist-greeter 2.1" in shown and "Greets somebody by name." in shown
    assert plugins("check").returncode == 0
    near = plugins("show", "greter")
    assert near.returncode == 2 and "greeter" in near.stderr


def test_a_broken_plugin_is_named_and_hides_no_other(plugins: Plugins, tmp_path: Path) -> None:
    install_plugin(tmp_path, "broken", "raise RuntimeError('no such library')")
    install_plugin(tmp_path, "greeter", GREETER.format(kind="greet"))
    found = listed(plugins)
    assert (found["broken"]["state"], found["greeter"]["state"]) == ("broken", "loaded")
    assert found["broken"]["problem"]["code"] == "plugin_broken"
    for words in (["check"], ["check", "broken"]):
        checked = plugins(*words)
        assert checked.returncode == 2 and "dist-broken 1.0" in checked.stderr and "no such library" in checked.stderr
    assert plugins("check", "greeter").returncode == 0
    found = listed(plugins, PLUMBER_DISABLE_PLUGINS="broken")
    assert found["broken"]["state"] == "disabled"
    assert plugins("check", PLUMBER_DISABLE_PLUGINS="broken").returncode == 0


def test_two_that_offer_the_same_are_both_named(plugins: Plugins, tmp_path: Path) -> None:
    for name in ("greeter", "welcomer"):
        install_plugin(tmp_path, name, GREETER.format(kind="greet"))
    assert plugins("check", "greeter").returncode == 0
    checked = plugins("check")
    assert checked.returncode == 2
    assert "dist-greeter 1.0" in checked.stderr and "dist-welcomer 1.0" in checked.stderr


def test_the_server_s_own_settings_of_a_plugin_are_checked(plugins: Plugins, tmp_path: Path) -> None:
    (tmp_path / "server.toml").write_text("[plugins.webhook.channels.ops]\nurl = 'nowhere'\n")
    checked = plugins("check", "webhook", PLUMBER_CONFIG=str(tmp_path / "server.toml"))
    assert checked.returncode == 2 and "channels.ops.url" in checked.stderr
    (tmp_path / "server.toml").write_text("[plugins.webhook.channels.ops]\nurl = 'https://chat.example/hook'\n")
    shown = plugins("show", "webhook", "-o", "json", PLUMBER_CONFIG=str(tmp_path / "server.toml"))
    [webhook] = json.loads(shown.stdout)
    assert webhook["configured"] and [one["name"] for one in webhook["objects"]] == ["ops"]
