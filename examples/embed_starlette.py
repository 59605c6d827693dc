"""Plumber inside a Starlette application, under /plumber. Run it: uvicorn --app-dir examples embed_starlette:app"""

import contextlib
import os
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from plumber_core import Plumber, Step, Task
from plumber_server import create_app

plumber = Plumber(os.environ.get("DATABASE_URL", "sqlite:///ops.db"), create_admin=True)


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    # A mounted application has no lifespan of its own, so the host opens the control plane.
    async with plumber:
        yield


async def clean(_: Request) -> JSONResponse:
    execution = await plumber.run(Task(name="clean", on="local", steps=[Step(name="say", run="echo cleaned")]))
    return JSONResponse({"id": execution.id, "state": execution.state})


app = Starlette(
    lifespan=lifespan,
    routes=[Route("/clean", clean, methods=["POST"]), Mount("/plumber", create_app(plumber))],
)
