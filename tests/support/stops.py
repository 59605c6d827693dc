"""Where the tour of the page stops: every page and every dialog, and what to do there before looking."""

from __future__ import annotations

from collections.abc import Callable

from support.browser import Visitor
from support.scene import DRAFT, Scene
from support.words import Words

Act = Callable[[Visitor, Words], None]
Stops = dict[str, tuple[str, Act | None]]
NEW_AGENT, NEW_TOKEN = "cache-2", "pipeline"


def _press(*keys: str) -> Act:
    def act(visitor: Visitor, words: Words) -> None:
        for key in keys:
            visitor.page.keyboard.press(key)

    return act


def _dialog(visitor: Visitor) -> None:
    visitor.page.get_by_role("dialog").last.wait_for()


def _in_dialog(*keys: str) -> Act:
    def act(visitor: Visitor, words: Words) -> None:
        _press(*keys)(visitor, words)
        _dialog(visitor)

    return act


def _click(key: str, dialog: bool = False, **arguments: object) -> Act:
    def act(visitor: Visitor, words: Words) -> None:
        visitor.page.get_by_role("button", name=words(key, **arguments)).first.click()
        if dialog:
            _dialog(visitor)

    return act


def _then(*acts: Act) -> Act:
    def act(visitor: Visitor, words: Words) -> None:
        for one in acts:
            one(visitor, words)

    return act


def _seek(visitor: Visitor, words: Words) -> None:
    visitor.page.get_by_role("searchbox").fill("nothing at all")


def _plan(visitor: Visitor, words: Words) -> None:
    _in_dialog("r")(visitor, words)
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_role("textbox").first.fill("v1.5.1")
    dialog.get_by_role("button", name=words("tasks.run.plan")).click()
    dialog.get_by_role("region", name=words("tasks.run.planTitle")).wait_for()


def _line(visitor: Visitor, words: Words) -> None:
    _in_dialog("n")(visitor, words)
    visitor.page.get_by_role("button", name=words("fleet.line.make")).click()
    visitor.page.get_by_text(words("fleet.line.waiting")).wait_for()


def _by_file(visitor: Visitor, words: Words) -> None:
    _in_dialog("n")(visitor, words)
    visitor.page.get_by_role("tab", name=words("fleet.file.tab")).click()
    visitor.page.get_by_role("button", name=words("fleet.file.make")).wait_for()


def _file(visitor: Visitor, words: Words) -> None:
    _by_file(visitor, words)
    visitor.page.get_by_role("textbox", name=words("fleet.file.name")).fill(NEW_AGENT)
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_role("button", name=words("fleet.file.download")).wait_for()


def _menu(visitor: Visitor, words: Words) -> None:
    visitor.page.get_by_role("button", name=words("fleet.actionsOf", name="web-1")).click()
    visitor.page.get_by_role("menu").wait_for()


def _tick_all(visitor: Visitor, words: Words) -> None:
    visitor.page.get_by_role("checkbox", name=words("fleet.tickAll")).check()


def _token(visitor: Visitor, words: Words) -> None:
    visitor.page.get_by_role("textbox", name=words("common.name")).fill(NEW_TOKEN)
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_text(words("system.tokens.once")).wait_for()


def _open_group(visitor: Visitor, words: Words) -> None:
    visitor.page.locator("main [aria-expanded=false]").first.click()
    visitor.page.locator("[role=region].code").first.wait_for()


def _cell(visitor: Visitor, words: Words) -> None:
    visitor.page.locator("[data-cell][tabindex='0']").press("Enter")
    _dialog(visitor)


def _drawer(visitor: Visitor, words: Words) -> None:
    _cell(visitor, words)
    visitor.page.get_by_role("dialog").locator("[role=region].code").wait_for()


def _status(text: str) -> Act:
    def act(visitor: Visitor, words: Words) -> None:
        visitor.page.get_by_role("status").filter(has_text=text).first.wait_for()

    return act


def _final_step(visitor: Visitor, words: Words) -> None:
    visitor.page.get_by_role("button", name=words("builder.addFinal")).click()
    visitor.page.get_by_role("heading", name=words("builder.stepTitleAlways", n=1)).wait_for()


def _broken(visitor: Visitor, words: Words) -> None:
    visitor.page.get_by_role("button", name=words("builder.choose", n=2, name="install")).click()
    visitor.page.get_by_role("textbox", name=words("builder.keys.timeout")).first.fill("soon")
    visitor.page.get_by_role("region", name=words("editor.check")).get_by_role("button").first.wait_for()


def _edited(step: str) -> Act:
    """Change the first step's command and close its drawer, if there is one."""

    def act(visitor: Visitor, words: Words) -> None:
        page = visitor.page
        page.get_by_role("button", name=words("builder.choose", n=1, name=step)).click()
        page.get_by_role("textbox", name=words("builder.keys.run")).first.fill("echo changed by hand")
        visitor.close_dialogs()

    return act


def _saved_meanwhile(visitor: Visitor, words: Words) -> None:
    visitor.server.call("task.apply", source=DRAFT.replace("echo rotated", "logrotate /etc/logrotate.conf"))
    _in_dialog("Control+s")(visitor, words)


def _leave(visitor: Visitor, words: Words) -> None:
    visitor.page.locator("main").get_by_role("link", name=words("frame.tasks")).click()
    _dialog(visitor)


STOPS: Stops = {
    "home": ("/", None),
    "palette": ("/", _in_dialog("Control+k")),
    "keys": ("/executions/{failed}", _in_dialog("?")),
    "tasks": ("/tasks", None),
    "tasks-none-found": ("/tasks", _seek),
    "task": ("/tasks/deploy-shop", None),
    "task-steps": ("/tasks/deploy-shop?tab=steps", None),
    "task-parameters": ("/tasks/deploy-shop?tab=parameters", None),
    "task-targets": ("/tasks/deploy-shop?tab=targets", None),
    "task-versions": ("/tasks/deploy-shop?tab=versions", None),
    "task-yaml": ("/tasks/deploy-shop?tab=yaml", None),
    "task-never-ran": ("/tasks/rotate-logs", None),
    "task-delete": ("/tasks/deploy-shop", _click("common.delete", dialog=True)),
    "run": ("/tasks/deploy-shop", _plan),
    "builder-settings": ("/tasks/deploy-shop/edit", None),
    "builder": ("/tasks/deploy-shop/edit", _click("builder.choose", n=2, name="install")),
    "builder-problem": ("/tasks/deploy-shop/edit", _broken),
    "builder-yaml": ("/tasks/deploy-shop/edit", _click("builder.mode.yaml")),
    "builder-block": ("/tasks/check-disks/edit", _click("builder.addBlock")),
    "builder-always": ("/tasks/check-disks/edit", _final_step),
    "builder-conflict": ("/tasks/rotate-logs/edit", _then(_edited("rotate"), _saved_meanwhile)),
    "builder-leave": ("/tasks/backup-database/edit", _then(_edited("dump"), _leave)),
    "executions": ("/executions", None),
    "executions-none-found": ("/executions", _seek),
    "execution": ("/executions/{failed}", None),
    "execution-collated": ("/executions/{failed}?layout=collated&step=1", _open_group),
    "execution-log": ("/executions/{failed}?layout=log&step=1", None),
    "execution-drawer": ("/executions/{failed}?layout=matrix&step=1", _drawer),
    "execution-running": ("/executions/{running}?layout=matrix&step=2", None),
    "execution-waiting": ("/executions/{waiting}?layout=matrix", _status("web-3")),
    "execution-pool": ("/executions/{pooled}?layout=matrix", _status("any 1 of")),
    "execution-pool-drawer": ("/executions/{pooled}?layout=matrix", _cell),
    "execution-cancel": ("/executions/{running}?layout=matrix", _in_dialog("c")),
    "execution-pause": ("/executions/{running}?layout=matrix", _click("execution.pause.pause", dialog=True)),
    "execution-resume": ("/executions/{failed}?layout=matrix", _click("execution.resume.open", dialog=True)),
    "execution-unknown": ("/executions/ex_nothing", None),
    "fleet": ("/fleet", None),
    "fleet-menu": ("/fleet", _menu),
    "fleet-ticked": ("/fleet", _tick_all),
    "fleet-add": ("/fleet", _line),
    "fleet-add-file": ("/fleet", _by_file),
    "fleet-add-made": ("/fleet", _file),
    "fleet-labels": ("/fleet", _then(_tick_all, _click("fleet.labels", dialog=True))),
    "fleet-revoke": ("/fleet", _then(_tick_all, _click("fleet.decree.revoke", dialog=True))),
    "agent": ("/fleet/web-1", None),
    "agent-rotate": ("/fleet/cache-1", _click("fleet.rotate", dialog=True)),
    "system": ("/system", None),
    "system-token": ("/system", _token),
    "system-revoke": ("/system", _click("system.tokens.revoke", dialog=True)),
    "missing": ("/nowhere", None),
}
FIRST_DAY: Stops = {
    "first-home": ("/", None),
    "first-tasks": ("/tasks", None),
    "first-executions": ("/executions", None),
    "first-fleet": ("/fleet", None),
    "first-builder": ("/tasks/new", None),
}
BAD_DAY: Stops = {
    "bad-fleet": ("/fleet", None),
    "agent-copied": ("/fleet/web-1", None),
    "agent-awaited": ("/fleet/db-1", None),
    "agent-waive": ("/fleet/db-1", _click("fleet.decree.waive", dialog=True)),
    "agent-strays": ("/fleet/cache-1", None),
}
ON_A_PHONE: Stops = {"navigation": ("/tasks", _click("frame.navigation", dialog=True))}


def put_back(scene: Scene) -> None:
    """Undo what the stops have left on the server."""
    server = scene.server
    server.call("task.apply", source=DRAFT)
    for agent in server.call("agent.list")["items"]:
        if agent["name"] == NEW_AGENT:
            server.call("agent.delete", agent=agent["id"])
    for token in server.call("token.list"):
        if token["name"] == NEW_TOKEN:
            server.call("token.revoke", id=token["id"])
