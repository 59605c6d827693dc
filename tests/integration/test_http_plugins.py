"""``uses: http`` and the webhook notifiers against a real HTTP server."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plumber_client.plugins.http_step import MAX_OUTPUT_BODY, HttpStep
from plumber_client.plugins.webhook import Channel, Webhook, register_notifiers, sign
from plumber_core import Executor, InvalidRequest, Notifier, PluginContext
from plumber_core.errors import StartupError
from plumber_core.plugins.params import load_params
from plumber_core.testing.conformance import ExecutorConformance, NotifierConformance
from plumber_core.testing.conformance.notifier import notification
from plumber_core.testing.steps import StepRun, run_step
from support.http_receiver import Receiver, receiving

CLOSED = "http://127.0.0.1:1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


class TestHttpStep(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> Executor[Any]:
        return HttpStep()

    @pytest.fixture
    def valid_params(self, receiver: Receiver) -> dict[str, Any]:
        return {"url": f"{receiver.url}/ok?key=hunter2", "headers": {"Authorization": "Bearer hunter2"}}

    @pytest.fixture
    def slow_params(self, receiver: Receiver) -> dict[str, Any]:
        return {"url": f"{receiver.url}/hang"}


class TestWebhook(NotifierConformance):
    @pytest.fixture
    def notifier(self, receiver: Receiver) -> Notifier:
        return webhook(receiver.url)

    @pytest.fixture
    def received(self, receiver: Receiver) -> Callable[[], list[str]]:
        return lambda: [json.loads(request.body)["id"] for request in receiver.got]

    @pytest.fixture
    def dead_notifier(self) -> Notifier:
        return webhook(CLOSED)


def webhook(url: str, **settings: Any) -> Webhook:
    return Webhook("ops", Channel.model_validate({"url": url, "allow_private": True, **settings}))


async def request(receiver: Receiver, path: str = "/", **params: Any) -> StepRun:
    return await run_step(HttpStep(), {"url": receiver.url + path, **params})


async def test_answer_goes_to_the_log_and_to_the_outputs(receiver: Receiver) -> None:
    receiver.answers["/"] = (201, "fertig ✓".encode())
    run = await request(receiver)
    assert run.exit_code == 0
    assert run.stdout.decode() == "HTTP/1.1 201 Created\nfertig ✓\n"
    assert run.outputs == {"status": "201", "body": "fertig ✓"}


@pytest.mark.parametrize(
    ("status", "expect", "code"),
    [
        (200, None, 0),
        (204, None, 0),
        (404, None, 1),
        (404, 404, 0),
        (200, 404, 1),
        (301, None, 1),
        (500, [200, 500], 0),
    ],
)
async def test_status_decides(receiver: Receiver, status: int, expect: Any, code: int) -> None:
    receiver.answers["/"] = (status, b"")
    run = await request(receiver, **({} if expect is None else {"expect": expect}))
    assert run.exit_code == code
    assert run.outputs["status"] == str(status)
    assert (f"answered {status}" in run.stderr.decode()) == bool(code)


async def test_redirect_is_followed_only_when_asked(receiver: Receiver) -> None:
    receiver.answers["/"] = (302, b"")
    assert (await request(receiver)).exit_code == 1
    assert (await request(receiver, follow_redirects=True)).exit_code == 0
    assert [got.path for got in receiver.got] == ["/", "/", "/elsewhere"]


@pytest.mark.parametrize(
    ("params", "body", "kind"),
    [
        ({"json": {"a": [1, None]}}, b'{"a":[1,null]}', "application/json"),
        ({"body": "a=ä", "headers": {"Content-Type": "text/x"}}, "a=ä".encode(), "text/x"),
    ],
)
async def test_body_is_sent(receiver: Receiver, params: dict[str, Any], body: bytes, kind: str) -> None:
    assert (await request(receiver, method="POST", **params)).exit_code == 0
    got = receiver.got[0]
    assert (got.method, got.body, got.headers["content-type"]) == ("POST", body, kind)


@pytest.mark.parametrize(
    "params",
    [
        {"url": "ftp://x"},
        {"url": "nonsense"},
        {"body": "a", "json": 1},
        {"expect": 1000},
        {"timeout": 0},
        {"method": "GO"},
    ],
)
def test_parameters_that_make_no_sense(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        load_params(HttpStep(), {"url": "http://x", **params})


@pytest.mark.parametrize("body", [b"x" * (MAX_OUTPUT_BODY + 1), b"\xff\xfe", b"a\x00b"])
async def test_body_that_is_no_short_text_is_in_the_log_only(receiver: Receiver, body: bytes) -> None:
    receiver.answers["/"] = (200, body)
    run = await request(receiver)
    assert run.stdout.endswith(b"\n" + body + b"\n")
    assert run.outputs == {"status": "200"}


async def test_no_answer_is_a_failure_with_a_sentence() -> None:
    run = await run_step(HttpStep(), {"url": f"{CLOSED}/x?key=hunter2"})
    assert run.exit_code == 1
    assert "GET http://127.0.0.1:1/x: ConnectError" in run.stderr.decode()
    assert "Traceback" not in run.stderr.decode()
    assert "hunter2" not in run.stderr.decode()


async def test_timeout_is_a_failure(receiver: Receiver) -> None:
    run = await request(receiver, "/hang", timeout=0.2)
    assert run.exit_code == 1
    assert "ReadTimeout" in run.stderr.decode()


def test_summary_hides_user_password_and_query() -> None:
    step = HttpStep()
    params = load_params(step, {"url": "https://ada:hunter2@shop.example:8443/a?key=hunter2"})
    assert step.summary(params) == "GET https://shop.example:8443/a"


async def test_webhook_is_signed(receiver: Receiver) -> None:
    channel = webhook(receiver.url, secret="hunter2", headers={"X-Team": "shop"})
    await channel.open()
    await channel.send(notification("n7", text="ä"))
    await channel.close()
    got = receiver.got[0]
    at, signature = (part.partition("=")[2] for part in got.headers["x-plumber-signature"].split(","))
    expected = hmac.new(b"hunter2", f"{at}.".encode() + got.body, hashlib.sha256).hexdigest()
    assert signature == expected
    assert abs(int(at) - time.time()) < 60
    assert sign("hunter2", got.body, int(at)) == got.headers["x-plumber-signature"]
    assert (got.headers["x-plumber-notification"], got.headers["x-team"]) == ("n7", "shop")
    assert json.loads(got.body)["at"].startswith("2026-01-02")


@pytest.mark.parametrize("status", [302, 400, 500])
async def test_webhook_that_is_not_accepted_is_an_error(receiver: Receiver, status: int) -> None:
    receiver.answers["/"] = (status, b"")
    channel = webhook(receiver.url)
    await channel.open()
    with pytest.raises(Exception, match=str(status)):
        await channel.send(notification())
    await channel.close()
    assert len(receiver.got) == 1


def test_each_configured_channel_is_a_notifier() -> None:
    table = {"channels": {"ops": {"url": "http://a"}, "dev": {"url": "http://b", "secret": "hunter2"}}}
    assert sorted(item.name for item in register_notifiers(PluginContext("webhook", table))) == ["dev", "ops"]
    assert list(register_notifiers(PluginContext("webhook"))) == []
    with pytest.raises(StartupError, match=r"channels\.ops\.url"):
        register_notifiers(PluginContext("webhook", {"channels": {"ops": {"url": "mailto:x"}}}))
