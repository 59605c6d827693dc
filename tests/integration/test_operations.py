"""What people and programs ask for, on both databases: tasks, agents, logins and tokens."""

from __future__ import annotations

import asyncio

import pytest

from plumber_core.app import Plumber
from plumber_core.engine import access
from plumber_core.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unauthenticated,
    ValidationFailed,
    WrongPassword,
)
from plumber_core.model.task import Step
from plumber_core.protocol.messages import ExecutorInfo
from plumber_core.protocol.peer import Refused
from support.embedded import show, start
from support.scripted_agent import ScriptedAgent

TASK = "name: deploy\ndescription: first\non: all\nsteps:\n  - {name: one, run: 'true'}\n"
PASSWORD = "correct horse battery"


@pytest.fixture
async def admin(plumber: Plumber) -> str:
    """The password of the administrator, who exists."""
    from plumber_core.builtin.passwords import hash_password

    await plumber._engine.store.ensure_user("admin", await hash_password(PASSWORD))
    return PASSWORD


async def test_a_task_is_saved_as_revisions_with_author_note_and_diff(plumber: Plumber) -> None:
    first = await plumber.tasks.apply(source=TASK, note="begin")
    assert (first.revision.number, first.created, first.revision.author) == (1, True, "system")
    again = await plumber.tasks.apply(source=TASK)
    assert (again.revision.number, again.changed) == (1, False)
    second = await plumber.tasks.apply(source=TASK.replace("first", "second"), expected_revision=1)
    assert (second.revision.number, second.description) == (2, "second")
    assert [revision.number for revision in await plumber.tasks.history(task="deploy")] == [2, 1]
    assert "-description: first\n+description: second\n" in (await plumber.tasks.diff(task="deploy", old=1, new=2)).diff
    assert (await plumber.tasks.show(task=first.id, revision=1)).source == TASK


async def test_a_save_over_somebody_elses_is_refused_and_changes_nothing(plumber: Plumber) -> None:
    await plumber.tasks.apply(source=TASK)
    for expected in (0, 7):
        with pytest.raises(Conflict):
            await plumber.tasks.apply(source=TASK + "labels: {a: b}\n", expected_revision=expected)
    assert len(await plumber.tasks.history(task="deploy")) == 1


async def test_ten_people_saving_the_same_new_name_make_ten_revisions(plumber: Plumber) -> None:
    sources = [TASK.replace("first", f"by {n}") for n in range(10)]
    await asyncio.gather(*(plumber.tasks.apply(source=source) for source in sources))
    assert [revision.number for revision in await plumber.tasks.history(task="deploy")] == list(range(10, 0, -1))


async def test_a_bad_task_is_refused_with_its_line_and_saves_nothing(plumber: Plumber) -> None:
    with pytest.raises(ValidationFailed) as caught:
        await plumber.tasks.apply(source=TASK.replace("run:", "rum:"))
    assert (5, "run") in {(problem["line"], problem["nearest"]) for problem in caught.value.arguments["problems"]}
    report = await plumber.tasks.validate(source=TASK.replace("run:", "rum:"))
    assert report.problems[0].line == 5
    assert (await plumber.tasks.list()).items == []


async def test_a_deleted_task_is_gone_but_its_executions_stay_and_its_name_is_free(plumber: Plumber) -> None:
    await ScriptedAgent.create(plumber, "a")
    await plumber.tasks.apply(source=TASK)
    begun = await plumber.tasks.run(task="deploy")
    await plumber.tasks.delete(task="deploy")
    with pytest.raises(NotFound):
        await plumber.tasks.run(task="deploy")
    assert (await show(plumber, begun.id)).task == "deploy"
    assert (await plumber.tasks.apply(source=TASK)).created


async def test_an_unknown_name_is_answered_with_the_nearest(plumber: Plumber) -> None:
    await plumber.tasks.apply(source=TASK)
    await plumber.agents.create(name="web-1")
    with pytest.raises(NotFound) as caught:
        await plumber.tasks.show(task="deply")
    assert caught.value.arguments["nearest"] == "deploy"
    with pytest.raises(NotFound) as caught:
        await plumber.agents.show(agent="web1")
    assert caught.value.arguments["nearest"] == "web-1"


async def test_tasks_are_listed_by_name_with_their_last_execution(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    for name in ("b", "a", "c"):
        await plumber.tasks.apply(source=TASK.replace("deploy", name))
    await plumber.tasks.run(task="b")
    await agent.report((await agent.take()).attempt)
    page = await plumber.tasks.list(limit=2)
    assert [(task.name, task.last_state) for task in page.items] == [("a", None), ("b", "succeeded")]
    assert [task.name for task in (await plumber.tasks.list(cursor=page.next)).items] == ["c"]
    assert [task.name for task in (await plumber.tasks.list(search="B")).items] == ["b"]


async def test_a_plan_says_hosts_and_commands_and_its_hash_changes_with_them(plumber: Plumber) -> None:
    await plumber.agents.create(name="a", labels={"role": "web"})
    await plumber.tasks.apply(source=TASK)
    one = await plumber.tasks.plan(task="deploy")
    assert [(step.name, step.command, [host.name for host in step.hosts]) for step in one.steps] == [
        ("one", "true", ["a"])
    ]
    assert (await plumber.tasks.plan(task="deploy")).hash == one.hash
    await plumber.agents.create(name="b")
    assert (await plumber.tasks.plan(task="deploy")).hash != one.hash


async def test_a_rerun_takes_the_revision_and_the_parameters_of_then(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    source = "name: t\non: all\nparams: {v: {type: string, required: true}}\nsteps: [{name: s, run: old}]"
    await plumber.tasks.apply(source=source)
    begun = await plumber.tasks.run(task="t", parameters={"v": "7"})
    await plumber.tasks.apply(source=source.replace("old", "new"))
    await agent.report((await agent.take()).attempt)
    again = await plumber.executions.rerun(execution=begun.id)
    spec = (await agent.take()).spec
    assert (again.revision, spec.params["run"], spec.env["v"]) == (1, "old", "7")


async def test_what_was_never_saved_cannot_be_run_again_and_says_so(plumber: Plumber) -> None:
    await ScriptedAgent.create(plumber, "a")
    with pytest.raises(Conflict, match="test was run without being saved"):
        await plumber.executions.rerun(execution=await start(plumber, Step(name="one", run="1")))


async def test_agents_are_found_by_expression_and_names_are_unique(plumber: Plumber) -> None:
    await plumber.agents.create(name="web-1", labels={"role": "web"})
    await plumber.agents.create(name="db-1", labels={"role": "db"})
    assert [agent.name for agent in (await plumber.agents.list(on="role=web")).items] == ["web-1"]
    with pytest.raises(Conflict):
        await plumber.agents.create(name="web-1")
    with pytest.raises(Conflict):
        await plumber.agents.update(agent="db-1", name="web-1")
    with pytest.raises(InvalidRequest) as caught:
        await plumber.agents.list(on="role=")
    assert caught.value.arguments["field"]


@pytest.mark.parametrize("labels", [{"bad key": "x"}, {"name": "x"}, {"k": "two\nlines"}, {"k": "nul\0"}])
async def test_labels_that_no_expression_could_name_are_refused(plumber: Plumber, labels: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await plumber.agents.create(name="a", labels=labels)
    assert caught.value.arguments["field"].startswith("labels.")
    assert (await plumber.agents.list()).items == []


async def test_an_enrolment_token_makes_one_agent_however_many_try(plumber: Plumber) -> None:
    enrolment = await plumber.agents.enroll(labels={"role": "web"})
    stranger = plumber.anonymous()
    tries = await asyncio.gather(
        *(stranger.agents.redeem(token=enrolment.token, name=f"n{n}", server_addr="http://s") for n in range(10)),
        return_exceptions=True,
    )
    [config] = [answer for answer in tries if not isinstance(answer, BaseException)]
    assert sum(isinstance(answer, Unauthenticated) for answer in tries) == 9
    [agent] = (await plumber.agents.list()).items
    assert (agent.id, agent.labels) == (config.id, {"role": "web"})


async def test_an_agent_with_unfinished_steps_cannot_be_forgotten(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await start(plumber, Step(name="one", run="1"))
    with pytest.raises(Conflict):
        await plumber.agents.delete(agent="a")
    await agent.report((await agent.take()).attempt)
    await plumber.agents.delete(agent="a")
    with pytest.raises(Refused):
        await agent.hello()


async def test_a_step_whose_agent_was_forgotten_fails_and_says_so(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.agents.create(name="b")
    execution = await start(plumber, Step(name="one", run="1", on="a"), Step(name="two", run="2", on="b"))
    await plumber.agents.delete(agent="b")
    plumber._engine.fleet.stale()
    await agent.report((await agent.take()).attempt)
    detail = await show(plumber, execution)
    assert detail.state == "failed"
    assert detail.problem is not None
    assert "agent b was deleted" in detail.problem["arguments"]["reason"]


async def test_a_login_gives_a_session_that_logout_ends(plumber: Plumber, admin: str) -> None:
    session = await plumber.anonymous().sessions.login(username="admin", password=admin)
    principal = await plumber.authenticate(session.token)
    plane = plumber.acting_as(principal, token=session.token)
    assert (await plane.sessions.whoami()).name == "admin"
    await plane.sessions.logout()
    with pytest.raises(Unauthenticated):
        await plumber.authenticate(session.token)


async def test_wrong_password_and_unknown_user_get_the_same_answer(plumber: Plumber, admin: str) -> None:
    for username, password in (("admin", "wrong"), ("nobody", admin), ("admin", "x" * 5000), ("nul\0", "x")):
        with pytest.raises(WrongPassword):
            await plumber.anonymous().sessions.login(username=username, password=password)


async def test_guessing_is_slowed_before_it_costs_anything(
    plumber: Plumber, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access.LoginLimit, "ACCOUNT", (3.0, 60.0))
    anonymous = plumber.anonymous(address="10.0.0.1")
    for _ in range(3):
        with pytest.raises(WrongPassword):
            await anonymous.sessions.login(username="admin", password="guess")
    with pytest.raises(RateLimited) as caught:
        await anonymous.sessions.login(username="admin", password=admin)
    assert 0 < caught.value.arguments["retry_after"] <= 61


async def test_a_new_password_ends_the_other_sessions(plumber: Plumber, admin: str) -> None:
    mine, other = [await plumber.anonymous().sessions.login(username="admin", password=admin) for _ in range(2)]
    plane = plumber.acting_as(mine.user, token=mine.token)
    with pytest.raises(InvalidRequest):
        await plane.sessions.change_password(current=admin, new="short")
    await plane.sessions.change_password(current=admin, new="a much longer one")
    assert await plumber.authenticate(mine.token) == mine.user
    with pytest.raises(Unauthenticated):
        await plumber.authenticate(other.token)


async def test_an_api_token_acts_until_it_is_revoked_even_inside_a_hot_write(plumber: Plumber, admin: str) -> None:
    session = await plumber.anonymous().sessions.login(username="admin", password=admin)
    plane = plumber.acting_as(session.user, token=session.token)
    created = await plane.tokens.create(name="ci")
    assert [token.name for token in await plane.tokens.list()] == ["ci"]
    principal = await plumber.authenticate(created.token)
    robot = plumber.acting_as(principal, token=created.token)
    await ScriptedAgent.create(plumber, "a")
    source = "{name: t, on: all, steps: [{name: s, run: 'true'}]}"
    await robot.executions.start(source=source)
    await plane.tokens.revoke(id=created.id)
    with pytest.raises(Unauthenticated):
        await plumber.authenticate(created.token)
    with pytest.raises(Unauthenticated):
        await robot.executions.start(source=source)
    assert len((await plumber.executions.list()).items) == 1


async def test_an_agents_credential_is_nobody_to_people_and_the_reverse(plumber: Plumber, admin: str) -> None:
    agent = (await plumber.agents.create(name="a")).config
    session = await plumber.anonymous().sessions.login(username="admin", password=admin)
    with pytest.raises(Unauthenticated):
        await plumber.authenticate(agent.token)
    with pytest.raises(Refused):
        await plumber.agent_peer(session.token)


async def test_without_a_credential_only_public_operations_answer(plumber: Plumber) -> None:
    anonymous = plumber.anonymous()
    for call in (anonymous.tasks.list, anonymous.agents.list, anonymous.executions.list, anonymous.system.info):
        with pytest.raises(Unauthenticated):
            await call()
    with pytest.raises(Unauthenticated):
        await anonymous.read_log("x")


async def test_a_step_of_a_type_that_nobody_knows_is_refused_when_it_is_saved_or_started(plumber: Plumber) -> None:
    source = "name: t\non: all\nsteps:\n  - {name: one, uses: htp, with: {url: 'http://localhost'}}\n"
    for call in (plumber.tasks.apply, plumber.executions.start):
        with pytest.raises(ValidationFailed) as caught:
            await call(source=source)
        [problem] = caught.value.arguments["problems"]
        assert (problem["code"], problem["line"], problem["nearest"]) == ("unknown_executor", 4, "http")
    agent = ScriptedAgent(plumber, (await plumber.agents.create(name="new")).config)
    schema = {"properties": {"url": {"type": "string"}}, "required": ["url"]}
    await agent.connect(executors=(ExecutorInfo("htp", schema, "Speaks a protocol of its own."),))
    assert (await plumber.tasks.validate(source=source)).problems == []
    assert (await plumber.tasks.apply(source=source)).name == "t"
    problems = (await plumber.tasks.validate(source=source.replace("url:", "ulr:"))).problems
    assert [(problem.code, problem.nearest) for problem in problems] == [
        ("missing_with", None),
        ("unknown_with", "url"),
    ]
