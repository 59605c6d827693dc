"""Plumber inside a Litestar application, under /plumber. Run it: uvicorn --app-dir examples embed_litestar:app"""

import contextlib
import os
from collections.abc import AsyncIterator

from litestar import Litestar, asgi, post

from plumber_core import Plumber, Step, Task
from plumber_server import create_app

plumber = Plumber(os.environ.get("DATABASE_URL", "sqlite:///ops.db"), create_admin=True)


@contextlib.asynccontextmanager
async def lifespan(_: Litestar) -> AsyncIterator[None]:
    # A mounted application has no lifespan of its own, so the host opens the control plane.
    async with plumber:
        yield


@post("/clean")
async def clean() -> dict[str, str]:
    execution = await plumber.run(Task(name="clean", on="local", steps=[Step(name="say", run="echo cleaned")]))
    return {"id": execution.id, "state": execution.state}


app = Litestar(
    route_handlers=[clean, asgi("/plumber", is_mount=True, copy_scope=True)(create_app(plumber))],
    lifespan=[lifespan],
)
