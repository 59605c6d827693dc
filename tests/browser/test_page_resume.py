"""An execution that has failed goes on from its page: the dialog says what it will touch; in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from support.api import ended
from support.browser import visiting
from support.scene import Scene
from support.words import Words

STUCK = """\
name: stuck
on: role=web and env=prod
steps:
  - {{name: install, run: 'test -e {fixed} || test "$PLUMBER_AGENT_NAME" != web-2'}}
  - {{name: restart, run: echo restarted}}
"""


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_what_is_left_goes_on_and_the_dialog_says_what_it_touches(
    browser: Browser, scene: Scene, language: str, tmp_path: Path
) -> None:
    words, fixed = Words(language), tmp_path / "fixed"
    execution = scene.server.call("execution.start", source=STUCK.format(fixed=fixed))["id"]
    assert ended(scene.server, execution)["state"] == "failed"
    fixed.touch()
    with visiting(browser, scene.server, locale=language) as visitor:
        page = visitor.page
        visitor.enter()
        visitor.open(f"/executions/{execution}")
        page.get_by_role("button", name=words("execution.resume.open")).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(words("execution.resume.touched", steps=3, hosts=2, kept=1))
        dialog.get_by_label(words("execution.resume.whatLabel")).select_option("failed")
        expect(dialog).to_contain_text(words("execution.resume.touched", steps=2, hosts=1, kept=2))
        dialog.get_by_label(words("execution.resume.whatLabel")).select_option("rest")
        expect(dialog).to_contain_text(words("execution.resume.touched", steps=3, hosts=2, kept=1))
        assert visitor.violations() == []
        visitor.screenshot(f"resume-{language}")
        dialog.get_by_role("textbox").fill("the disk is free again")
        dialog.get_by_role("button", name=words("execution.resume.action"), exact=True).click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("button", name=words("execution.resume.open"))).to_have_count(0)
        expect(page.locator("header, main").get_by_text(words("states.succeeded"), exact=True).first).to_be_visible()
    assert ended(scene.server, execution)["state"] == "succeeded"
    record = scene.server.call("execution.step", execution=execution, step=0, host="web-2")
    assert [one["data"]["reason"] for one in record["operations"]] == ["the disk is free again"]


WAITS = """\
name: waits
on: web-1
steps:
  - {{name: wait, run: 'until test -e {go_on}; do sleep 0.1; done'}}
  - {{name: after, run: echo after}}
"""


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_an_execution_is_paused_says_by_whom_and_why_and_goes_on(
    browser: Browser, scene: Scene, language: str, tmp_path: Path
) -> None:
    words, go_on = Words(language), tmp_path / "go on"
    execution = scene.server.call("execution.start", source=WAITS.format(go_on=f'"{go_on}"'))["id"]
    with visiting(browser, scene.server, locale=language) as visitor:
        page = visitor.page
        visitor.enter()
        visitor.open(f"/executions/{execution}")
        for verb, state in (("pause", "paused"), ("continue", "succeeded")):
            page.get_by_role("button", name=words(f"execution.pause.{verb}"), exact=True).click()
            dialog = page.get_by_role("dialog")
            expect(dialog).to_contain_text(words(f"execution.pause.{verb}Text"))
            dialog.get_by_role("textbox").fill("the database is moved")
            assert visitor.violations() == []
            dialog.get_by_role("button", name=words(f"execution.pause.{verb}"), exact=True).click()
            expect(dialog).to_have_count(0)
            if verb == "pause":
                expect(page.get_by_role("status").filter(has_text="the database is moved")).to_be_visible()
                go_on.touch()
            expect(page.locator("header, main").get_by_text(words(f"states.{state}"), exact=True).first).to_be_visible()
    assert ended(scene.server, execution)["state"] == "succeeded"
