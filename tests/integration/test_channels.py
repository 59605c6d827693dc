"""Chats and mail: what each service is sent, signed as it asks, and what its answers mean."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from plumber_client.plugins import posting
from plumber_client.plugins.apprise_channels import Apprise
from plumber_client.plugins.apprise_channels import Channel as AppriseChannel
from plumber_client.plugins.chat import Channel, Chat, Refused, feishu_signature
from plumber_client.plugins.posting import NotAllowed
from plumber_client.plugins.webhook import Channel as Hook
from plumber_client.plugins.webhook import Webhook
from plumber_core import Notification, Notifier, PluginContext
from plumber_core.builtin.mail import Email, Recipients, Settings
from plumber_core.builtin.mail import register_notifiers as mail_channels
from plumber_core.errors import StartupError
from plumber_core.testing.conformance import NotifierConformance
from plumber_core.testing.conformance.notifier import AT, notification
from support.http_receiver import Receiver, receiving
from support.smtp_sink import Sink, smtp_sink

# Apprise brings it along on Python 3.11 and 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
TAKEN = {"dingtalk": b'{"errcode":0,"errmsg":"ok"}', "wecom": b'{"errcode":0,"errmsg":"ok"}', "feishu": b'{"code":0}'}
KINDS = ["slack", "teams", "dingtalk", "wecom", "feishu"]
FAILED = Notification(
    "n1",
    "execution.failed",
    AT,
    "shop 失败",
    "install · web_1 <b>: 退出码 1\n由 ada 发起",
    "https://p.example/x",
    occasion="failure",
    language="zh",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def chat(receiver: Receiver, kind: str, **settings: Any) -> Chat:
    receiver.answers.update({f"/{name}": (200, body) for name, body in TAKEN.items()})
    values = {"kind": kind, "url": f"{receiver.url}/{kind}", "allow_private": True, **settings}
    return Chat("ops", Channel.model_validate(values))


async def send(notifier: Notifier, told: Notification = FAILED) -> None:
    await notifier.open()
    try:
        await notifier.send(told)
    finally:
        await notifier.close()


class TestChat(NotifierConformance):
    @pytest.fixture(params=KINDS)
    def notifier(self, receiver: Receiver, request: pytest.FixtureRequest) -> Notifier:
        return chat(receiver, request.param)

    @pytest.fixture
    def dead_notifier(self) -> Notifier:
        return Chat(
            "ops", Channel.model_validate({"kind": "slack", "url": "http://127.0.0.1:1", "allow_private": True})
        )


class TestApprise(NotifierConformance):
    @pytest.fixture
    def notifier(self, receiver: Receiver) -> Notifier:
        return through_apprise(receiver.url.replace("http", "json"))

    @pytest.fixture
    def dead_notifier(self) -> Notifier:
        return through_apprise("json://127.0.0.1:1")


def through_apprise(*urls: str) -> Apprise:
    return Apprise("phone", AppriseChannel.model_validate({"urls": list(urls)}))


async def test_apprise_is_told_what_it_is_and_refuses_a_url_that_is_none(receiver: Receiver) -> None:
    await send(through_apprise(receiver.url.replace("http", "json")))
    body = json.loads(receiver.got[0].body)
    assert (body["title"], body["type"]) == (FAILED.title, "failure")
    assert body["message"].endswith("https://p.example/x")
    with pytest.raises(ValueError, match="URL 2"):
        await through_apprise(receiver.url.replace("http", "json"), "nonsense").open()


class TestEmail(NotifierConformance):
    @pytest.fixture
    def sink(self) -> Iterator[Sink]:
        with smtp_sink() as made:
            yield made

    @pytest.fixture
    def notifier(self, sink: Sink) -> Notifier:
        return mail(sink.port)

    @pytest.fixture
    def received(self, sink: Sink) -> Callable[[], list[str]]:
        return lambda: [message["Message-ID"].strip("<").partition("@")[0] for message in sink.got]

    @pytest.fixture
    def dead_notifier(self) -> Notifier:
        return mail(1)


def mail(port: int, *to: str, **settings: Any) -> Email:
    values = {"server": "127.0.0.1", "port": port, "security": "none", "sender": "P <p@example.com>", **settings}
    return Email("mail", Recipients(to=list(to) or ["ops@example.com"]), Settings.model_validate(values))


# What the services' own documents show, with the values that they show.
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            "slack",
            {
                "text": "*❌ shop 失败*\ninstall · web_1 &lt;b&gt;: 退出码 1\n由 ada 发起\n"
                "<https://p.example/x|在 Plumber 中打开>"
            },
        ),
        (
            "dingtalk",
            {
                "msgtype": "markdown",
                "markdown": {
                    "title": "❌ shop 失败",
                    "text": "### ❌ shop 失败\n\ninstall · web_1 &lt;b&gt;: 退出码 1\n\n由 ada 发起\n\n"
                    "[在 Plumber 中打开](https://p.example/x)",
                },
            },
        ),
        (
            "wecom",
            {
                "msgtype": "markdown",
                "markdown": {
                    "content": "### ❌ shop 失败\ninstall · web_1 &lt;b&gt;: 退出码 1\n由 ada 发起\n"
                    "[在 Plumber 中打开](https://p.example/x)"
                },
            },
        ),
    ],
)
async def test_a_chat_gets_what_its_service_reads(receiver: Receiver, kind: str, body: dict[str, Any]) -> None:
    await send(chat(receiver, kind))
    assert json.loads(receiver.got[0].body) == body


async def test_teams_and_feishu_get_cards(receiver: Receiver) -> None:
    await send(chat(receiver, "teams"))
    await send(chat(receiver, "feishu"))
    teams, feishu = (json.loads(request.body) for request in receiver.got)
    [attachment] = teams["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in attachment["content"]["body"]] == [
        "❌ shop 失败",
        "install · web_1 <b>: 退出码 1",
        "由 ada 发起",
    ]
    assert attachment["content"]["actions"][0]["url"] == "https://p.example/x"
    assert feishu["msg_type"] == "interactive"
    assert feishu["card"]["header"] == {"template": "red", "title": {"tag": "plain_text", "content": "❌ shop 失败"}}


async def test_robots_that_check_signatures_get_them(receiver: Receiver) -> None:
    receiver.answers["/dingtalk?access_token=t"] = (200, TAKEN["dingtalk"])
    ding = chat(receiver, "dingtalk", secret="SECabc", url=f"{receiver.url}/dingtalk?access_token=t")
    with pytest.raises(Refused):
        # The receiver only knows the address without a signature: its empty answer is none of DingTalk's.
        await send(ding)
    query = parse_qs(urlsplit(receiver.got[0].path).query)
    at = query["timestamp"][0]
    digest = hmac.new(b"SECabc", f"{at}\nSECabc".encode(), hashlib.sha256).digest()
    assert query == {"access_token": ["t"], "timestamp": [at], "sign": [base64.b64encode(digest).decode()]}
    assert len(at) == 13
    await send(chat(receiver, "feishu", secret="abc"))
    body = json.loads(receiver.got[1].body)
    digest = hmac.new(f"{body['timestamp']}\nabc".encode(), digestmod=hashlib.sha256).digest()
    assert body["sign"] == base64.b64encode(digest).decode() and len(body["timestamp"]) == 10


def test_feishu_s_own_example_has_this_signature() -> None:
    """The time, secret and signature of its documentation."""
    signed = {"timestamp": "1599360473", "sign": "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="}
    assert feishu_signature("demo", 1599360473) == signed


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("dingtalk", b'{"errcode":310000,"errmsg":"keywords not in content"}'),
        ("wecom", b'{"errcode":93000,"errmsg":"invalid webhook url"}'),
        ("feishu", b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}'),
        ("wecom", b"<html>"),
        ("feishu", b"{}"),
    ],
)
async def test_a_robot_that_says_no_with_200_is_an_error(receiver: Receiver, kind: str, answer: bytes) -> None:
    notifier = chat(receiver, kind)
    receiver.answers[f"/{kind}"] = (200, answer)
    with pytest.raises(Refused):
        await send(notifier)


async def test_errors_show_no_address_because_addresses_are_secrets(receiver: Receiver) -> None:
    receiver.answers["/slack"] = (404, b"no_team")
    with pytest.raises(Exception, match="answered 404: no_team") as caught:
        await send(chat(receiver, "slack"))
    assert "/slack" not in str(caught.value)


def test_a_secret_where_none_is_used_is_refused() -> None:
    with pytest.raises(ValidationError, match="wecom has no secret"):
        Channel.model_validate({"kind": "wecom", "url": "https://x.example", "secret": "a"})


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "192.168.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "0.0.0.0"],
)
async def test_private_addresses_are_not_reached(host: str) -> None:
    with pytest.raises(NotAllowed, match="allow_private"):
        await send(Webhook("ops", Hook.model_validate({"url": f"http://{host}:1/"})))


async def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere the second time (DNS rebinding) is asked once."""
    monkeypatch.setattr(posting, "_is_public", lambda address: True)
    port = receiver.url.rpartition(":")[2]
    await send(Webhook("ops", Hook.model_validate({"url": f"http://localhost:{port}/here"})))
    assert (receiver.got[0].path, receiver.got[0].headers["host"]) == ("/here", f"localhost:{port}")


async def test_mail_reads_like_mail() -> None:
    with smtp_sink() as sink:
        await send(mail(sink.port, "Ada <ada@example.com>", "ops@example.com"))
    [message] = sink.got
    assert (message["Subject"], message["To"]) == ("shop 失败", "Ada <ada@example.com>, ops@example.com")
    assert message["Message-ID"] == "<n1@example.com>"
    assert message.get_content().replace("\r\n", "\n") == f"{FAILED.text}\n\nhttps://p.example/x\n"


async def test_a_subject_cannot_add_headers() -> None:
    with smtp_sink() as sink:
        await send(mail(sink.port), notification(title="shop\r\nBcc: eve@example.com failed"))
    assert sink.got[0]["Bcc"] is None


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
async def test_mail_logs_in_and_tells_when_somebody_is_refused() -> None:
    with smtp_sink(("plumber", "pa55word")) as sink:
        await send(mail(sink.port, username="plumber", password="pa55word"))
        with pytest.raises(Exception, match="535"):
            await send(mail(sink.port, username="plumber", password="wrong"))
        sink.refused.add("gone@example.com")
        with pytest.raises(Exception, match="gone@example"):
            await send(mail(sink.port, "ops@example.com", "gone@example.com", username="plumber", password="pa55word"))
    assert len(sink.got) == 2


def test_mail_settings_say_what_is_missing() -> None:
    with pytest.raises(StartupError, match="which SMTP server"):
        mail_channels(PluginContext("email", {"channels": {"mail": {"to": ["a@example.com"]}}}))
    with pytest.raises(StartupError, match="is no address"):
        mail_channels(PluginContext("email", {"server": "x", "channels": {"mail": {"to": ["nobody"]}}}))
