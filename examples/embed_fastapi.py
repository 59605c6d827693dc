"""Plumber in a FastAPI application with people of its own. Run it: uvicorn --app-dir examples embed_fastapi:app"""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Cookie, Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Receive, Scope, Send

from plumber_core import Authenticator, Bearer, CredentialRejected, Plumber, Principal, hookimpl
from plumber_server import create_app

PEOPLE = {"ada": "lovelace-1815"}
SESSIONS: dict[str, str] = {}
"""What the host has already: its people, and who is logged in."""


class ShopSessions(Authenticator):
    """Lets people use Plumber with the session that they have in the shop."""

    name = "shop"
    accepts = frozenset({Bearer})

    async def authenticate(self, credential: Bearer) -> Principal | None:
        if not credential.token.startswith("shop_"):
            return None
        if (name := SESSIONS.get(credential.token)) is None:
            raise CredentialRejected("no such session")
        return Principal(kind="user", id=f"shop:{name}", name=name)


class ShopPlugin:
    @hookimpl
    def register_authenticators(self) -> list[Authenticator]:
        return [ShopSessions()]


class WithShopSession:
    """Shows the host's cookie to the mounted application as what it understands."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = list(scope.get("headers", []))
        found = dict(headers)
        cookies = found.get(b"cookie", b"").decode("latin-1").split("; ")
        session = next((one.removeprefix("session=") for one in cookies if one.startswith("session=shop_")), None)
        # A cookie is sent by every browser; this header only by Plumber's own page.
        own = scope.get("method") in ("GET", "HEAD") or b"x-plumber-request" in found
        if session and own and b"authorization" not in found:
            headers.append((b"authorization", f"Bearer {session}".encode("latin-1")))
        await self.app({**scope, "headers": headers}, receive, send)


plumber = Plumber(os.environ.get("DATABASE_URL", "sqlite:///ops.db"), own_plugins={"shop": ShopPlugin()})


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    # A mounted application has no lifespan of its own, so the host opens the control plane.
    async with plumber:
        yield


app = FastAPI(lifespan=lifespan)
app.mount("/plumber", WithShopSession(create_app(plumber)))


def person(session: Annotated[str, Cookie()] = "") -> str:
    if session not in SESSIONS:
        raise HTTPException(401)
    return SESSIONS[session]


class Login(BaseModel):
    name: str
    password: str


@app.post("/login")
def login(asked: Login, response: Response) -> dict[str, str]:
    if asked.name not in PEOPLE or not secrets.compare_digest(PEOPLE[asked.name], asked.password):
        raise HTTPException(401)
    session = f"shop_{secrets.token_urlsafe(24)}"
    SESSIONS[session] = asked.name
    response.set_cookie("session", session, httponly=True, samesite="strict")
    return {"name": asked.name}


@app.post("/clean")
async def clean(name: Annotated[str, Depends(person)]) -> dict[str, str]:
    mine = plumber.acting_as(Principal(kind="user", id=f"shop:{name}", name=name))
    task = "{name: clean, on: local, steps: [{name: say, run: echo cleaned}]}"
    begun = await mine.executions.start(source=task, reason="asked for in the shop")
    ended = await plumber.wait(begun.id)
    return {"id": ended.id, "state": ended.state, "by": ended.requested_by}
