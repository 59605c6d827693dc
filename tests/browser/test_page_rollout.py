"""A rollout on the execution page: its batches live, and going on when it waits for somebody; in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from support.api import ended
from support.browser import visiting
from support.scene import Scene
from support.words import Words

ROLLOUT = """\
name: careful
steps:
  - name: roll out
    on: role=web and env=prod
    rollout: {batches: [1, 100%], pause: manual}
    steps:
      - {name: install, run: echo installed}
      - {name: restart, run: echo restarted}
"""


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_batches_are_followed_and_somebody_says_go(browser: Browser, scene: Scene, language: str) -> None:
    words = Words(language)
    execution = scene.server.call("execution.start", source=ROLLOUT)["id"]
    with visiting(browser, scene.server, locale=language) as visitor:
        page = visitor.page
        visitor.enter()
        visitor.open(f"/executions/{execution}")
        strip = page.get_by_role("region", name=words("execution.rollout.label", block="roll out"))
        passed = strip.get_by_text(words("execution.rollout.states.passed"), exact=True)
        expect(strip.get_by_role("listitem")).to_have_count(2)
        expect(passed).to_have_count(1)
        assert visitor.violations() == []
        visitor.screenshot(f"rollout-{language}")
        strip.get_by_role("button", name=words("execution.rollout.go")).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text(words("execution.rollout.goText", next=2, batches=2))
        dialog.get_by_role("textbox").fill("the first one looks well")
        dialog.get_by_role("button", name=words("execution.rollout.go")).click()
        expect(passed).to_have_count(2)
        expect(strip.get_by_role("button")).to_have_count(0)
    assert ended(scene.server, execution)["state"] == "succeeded"
