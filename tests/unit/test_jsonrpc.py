"""JSON-RPC 2.0: every example of the specification's section 7, and what the specification leaves to us."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plumber_core.errors import Conflict, Unavailable
from plumber_server.jsonrpc import Params, answer, unknown_method


class Methods:
    """The methods of the specification's examples."""

    def __init__(self) -> None:
        self.notified: list[str] = []

    async def __call__(self, name: str, params: Params, *, notification: bool) -> bytes:
        if notification:
            self.notified.append(name)
        return json.dumps(self._run(name, params)).encode()

    def _run(self, name: str, params: Any) -> Any:
        if name == "subtract":
            a, b = params if isinstance(params, list) else (params["minuend"], params["subtrahend"])
            return a - b
        if name == "sum":
            return sum(params)
        if name == "get_data":
            return ["hello", 5]
        if name in ("update", "notify_hello", "notify_sum"):
            return None
        if name == "conflict":
            raise Conflict(reason="somebody else was faster")
        if name == "broken":
            raise RuntimeError("secret detail")
        if name == "busy":
            raise Unavailable(reason="locked")
        raise unknown_method(name, ["subtract", "sum"])


async def call(body: str | bytes, methods: Methods | None = None, language: str = "en") -> Any:
    raw = body.encode() if isinstance(body, str) else body
    reply = await answer(raw, methods or Methods(), language=language)
    return None if reply is None else json.loads(reply)


def error_code(reply: Any) -> int:
    assert reply["jsonrpc"] == "2.0"
    return int(reply["error"]["code"])


SUBTRACT = '{"jsonrpc": "2.0", "method": "subtract", "params": %s, "id": %s}'


@pytest.mark.parametrize(
    ("params", "id", "result"),
    [
        ("[42, 23]", 1, 19),
        ("[23, 42]", 2, -19),
        ('{"subtrahend": 23, "minuend": 42}', 3, 19),
        ('{"minuend": 42, "subtrahend": 23}', 4, 19),
    ],
)
async def test_positional_and_named_parameters(params: str, id: int, result: int) -> None:
    assert await call(SUBTRACT % (params, id)) == {"jsonrpc": "2.0", "result": result, "id": id}


@pytest.mark.parametrize(
    "body",
    ['{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', '{"jsonrpc": "2.0", "method": "foobar"}'],
)
async def test_notifications_have_no_answer(body: str) -> None:
    methods = Methods()
    assert await call(body, methods) is None
    assert len(methods.notified) == 1


async def test_unknown_method() -> None:
    reply = await call('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}')
    assert (error_code(reply), reply["id"]) == (-32601, "1")


async def test_invalid_json() -> None:
    reply = await call('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]')
    assert (error_code(reply), reply["id"]) == (-32700, None)


async def test_invalid_request_object() -> None:
    reply = await call('{"jsonrpc": "2.0", "method": 1, "params": "bar"}')
    assert (error_code(reply), reply["id"]) == (-32600, None)


async def test_batch_of_invalid_json() -> None:
    reply = await call(
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]'
    )
    assert (error_code(reply), reply["id"]) == (-32700, None)


async def test_empty_batch() -> None:
    reply = await call("[]")
    assert (error_code(reply), reply["id"]) == (-32600, None)


@pytest.mark.parametrize(("body", "count"), [("[1]", 1), ("[1,2,3]", 3)])
async def test_invalid_batch(body: str, count: int) -> None:
    reply = await call(body)
    assert [(error_code(item), item["id"]) for item in reply] == [(-32600, None)] * count


async def test_mixed_batch() -> None:
    reply = await call("""[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ]""")
    told = [(item["id"], item.get("result", item.get("error", {}).get("code"))) for item in reply]
    assert told == [("1", 7), ("2", 19), (None, -32600), ("5", -32601), ("9", ["hello", 5])]


async def test_batch_of_notifications() -> None:
    body = '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1]}, {"jsonrpc": "2.0", "method": "notify_hello"}]'
    assert await call(body) is None


async def test_a_batch_over_the_limit_is_one_clear_error_and_runs_nothing() -> None:
    methods = Methods()
    body = json.dumps([{"jsonrpc": "2.0", "method": "update"}] * 1000)
    reply = await call(body, methods)
    assert error_code(reply) == -32600
    told = reply["error"]["data"]["arguments"]
    assert told.pop("phrases") == {"unit": {"code": "unit_calls", "arguments": {}}}
    assert told == {"field": "batch", "actual": 1000, "unit": "calls", "limit": 50}
    assert methods.notified == []


@pytest.mark.parametrize("id", ["null", '"x"', "7", "1.5", "-3", str(2**70), '"\\u4f60"'])
async def test_the_id_comes_back_as_it_was(id: str) -> None:
    assert (await call(SUBTRACT % ("[2,1]", id)))["id"] == json.loads(id)


@pytest.mark.parametrize("id", ["true", "[]", "{}"])
async def test_other_ids_are_refused(id: str) -> None:
    reply = await call(SUBTRACT % ("[2,1]", id))
    assert (error_code(reply), reply["id"]) == (-32600, None)


@pytest.mark.parametrize("member", ['"jsonrpc": "1.0"', '"jsonrpc": 2.0', '"x": 1'])
async def test_only_version_two(member: str) -> None:
    reply = await call(f'{{{member}, "method": "sum", "params": [1], "id": 1}}')
    assert (error_code(reply), reply["id"]) == (-32600, 1)
    assert reply["error"]["data"]["arguments"]["field"] == "jsonrpc"


async def test_null_parameters_are_no_parameters() -> None:
    assert (await call('{"jsonrpc": "2.0", "method": "get_data", "params": null, "id": 1}'))["result"] == ["hello", 5]


async def test_errors_carry_the_code_of_the_core() -> None:
    reply = await call('{"jsonrpc": "2.0", "method": "conflict", "id": 1}')
    assert reply["error"]["data"]["code"] == "conflict"
    assert reply["error"]["message"] == "somebody else was faster."


async def test_an_unexpected_error_says_nothing_about_the_inside() -> None:
    reply = await call('{"jsonrpc": "2.0", "method": "broken", "id": 1}')
    assert error_code(reply) == -32603
    assert "secret" not in json.dumps(reply)


async def test_the_nearest_method_is_named() -> None:
    reply = await call('{"jsonrpc": "2.0", "method": "subtrakt", "id": 1}')
    assert reply["error"]["data"]["arguments"]["nearest"] == "subtract"


BAD = [
    (b'{"a": "\xff"}', -32700, "UTF-8"),
    (b"\xef\xbb\xbf{}", -32700, "not JSON"),
    (b"", -32700, "not JSON"),
    (b"nul", -32700, "line 1 column 1"),
    (b'{"x": NaN}', -32700, "NaN"),
    (b'{"x": -Infinity}', -32700, "Infinity"),
    (b'{"x": 1e999}', -32700, "too large"),
    (b'{"x": ' + b"9" * 5000 + b"}", -32700, "digits"),
    (b'{"method": "a", "method": "b"}', -32700, "method"),
    (b'{"x": "a\x00b"}', -32700, "control character"),
    (b'{"params": {"name": "a\\u0000b"}}', -32602, "params.name: NUL"),
    (b'{"params": [{"a\\u0000": 1}]}', -32602, "params[0]: NUL"),
    (b'{"params": {"name": "\\ud800"}}', -32602, "params.name: half"),
    (b"[" * 65 + b"]" * 65, -32602, "64 levels"),
    (b"[" * 100_000, -32602, "64 levels"),
    (b'{"a":' * 100_000, -32602, "64 levels"),
]


@pytest.mark.parametrize(("body", "code", "words"), BAD)
async def test_bad_input_names_the_place_and_the_reason(body: bytes, code: int, words: str) -> None:
    reply = await call(body)
    assert error_code(reply) == code
    assert words in reply["error"]["message"]
    assert reply["id"] is None


@pytest.mark.parametrize("body", ["%s", "[%s]"])
async def test_the_output_of_a_command_may_hold_what_other_texts_may_not(body: str) -> None:
    call_with = '{"jsonrpc": "2.0", "method": "get_data", "params": {"%s": "\\u0000 \\ud800"}, "id": 1}'
    assert "result" in str(await call(body % call_with % "output"))
    assert "NUL" in str(await call(body % call_with % "name"))


async def test_an_escaped_backslash_is_not_a_nul() -> None:
    body = '{"jsonrpc": "2.0", "method": "get_data", "params": {"x": "\\\\u0000 \\ud83d\\ude00"}, "id": 1}'
    assert "result" in await call(body)
