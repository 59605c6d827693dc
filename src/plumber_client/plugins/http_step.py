"""``uses: http``: one HTTP request, as a check or to set something off. Its answer goes to the log."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, JsonValue, SecretStr, model_validator

from plumber_core import Executor, StepContext, StepFailed, hookimpl

if TYPE_CHECKING:
    import httpx

Status = Annotated[int, Field(ge=100, le=599)]
MAX_OUTPUT_BODY = 16 * 1024
"""A longer answer is in the log only: all outputs of a step share 64 KiB."""


class HttpParams(BaseModel):
    """Parameters of ``http``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: AnyHttpUrl
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    headers: dict[str, SecretStr] = {}
    body: str | None = Field(None, description="sent as it is")
    json_body: JsonValue = Field(None, alias="json", description="sent as JSON")
    expect: Status | list[Status] | None = Field(None, description="accepted status codes; any 2xx if left out")
    timeout: float = Field(30.0, gt=0, le=3600, description="seconds for the connection and between two pieces")
    follow_redirects: bool = False
    verify: bool = Field(True, description="check the server's certificate")

    @model_validator(mode="after")
    def _one_body(self) -> HttpParams:
        if self.body is not None and self.json_body is not None:
            raise ValueError("body and json exclude each other")
        return self

    def accepts(self, status: int) -> bool:
        """Say whether this status is a success."""
        if self.expect is None:
            return 200 <= status < 300
        return status in (self.expect if isinstance(self.expect, list) else [self.expect])


class HttpStep(Executor[HttpParams]):
    """Sends one HTTP request and checks the status of the answer."""

    kind = "http"
    Params = HttpParams

    def summary(self, params: HttpParams) -> str:
        """Return method and address, without what may be a secret in it."""
        url = params.url
        port = "" if url.port in (None, 80, 443) else f":{url.port}"
        return f"{params.method} {url.scheme}://{url.host}{port}{url.path or '/'}"

    async def run(self, ctx: StepContext, params: HttpParams) -> Mapping[str, str]:
        """Send the request; outputs are ``status`` and, if it is short text, ``body``."""
        import httpx

        try:
            async with _client(params) as client, client.stream(**_request(params)) as answer:
                await ctx.print(f"{answer.http_version} {answer.status_code} {answer.reason_phrase}")
                ctx.outputs["status"] = str(answer.status_code)
                outputs = await _show(ctx, answer)
        except httpx.HTTPError as error:
            raise StepFailed(f"{self.summary(params)}: {type(error).__name__}: {error}") from None
        if not params.accepts(answer.status_code):
            raise StepFailed(f"{self.summary(params)}: answered {answer.status_code}")
        return outputs


def _client(params: HttpParams) -> httpx.AsyncClient:
    import httpx

    return httpx.AsyncClient(timeout=params.timeout, verify=params.verify, follow_redirects=params.follow_redirects)


def _request(params: HttpParams) -> dict[str, Any]:
    request: dict[str, Any] = {"method": params.method, "url": str(params.url)}
    request["headers"] = {name: value.get_secret_value() for name, value in params.headers.items()}
    if params.body is not None:
        request["content"] = params.body.encode()
    elif params.json_body is not None:
        request["json"] = params.json_body
    return request


async def _show(ctx: StepContext, answer: httpx.Response) -> dict[str, str]:
    """Write the body to the log as it comes, every byte of it; return it as an output if it is short text."""
    kept, last = bytearray(), b"\n"
    async for data in answer.aiter_bytes(MAX_OUTPUT_BODY):
        await asyncio.to_thread(ctx.stdout.write, data)
        kept += data[: MAX_OUTPUT_BODY + 1 - len(kept)]
        last = data[-1:]
    if last != b"\n":
        await ctx.print("")
    try:
        return {"body": kept.decode()} if len(kept) <= MAX_OUTPUT_BODY and b"\0" not in kept else {}
    except UnicodeDecodeError:
        return {}


@hookimpl
def register_executors() -> Iterable[Executor[Any]]:
    """Offer the executor where its HTTP library is installed."""
    return [HttpStep()] if importlib.util.find_spec("httpx") else []
