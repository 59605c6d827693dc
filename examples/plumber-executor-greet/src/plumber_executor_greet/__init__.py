"""A plugin for Plumber: ``uses: greet``, with a panel, a command and a route to show the other hooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from plumber_core import Executor, MarkdownOf, PluginContext, StepContext, WebPanel, executor, hookimpl

if TYPE_CHECKING:
    from cyclopts import App
    from litestar.types import ControllerRouterHandler

Times = Annotated[int, Field(ge=1, le=100, description="how often")]


class Settings(BaseModel):
    """``[plugins.greet]``."""

    greeting: str = "Hello"


@executor("greet", summary="greet {name}")
async def greet(ctx: StepContext, name: str, times: Times = 1) -> dict[str, str]:
    """Greets somebody, and hands the greeting on."""
    for _ in range(times):
        await ctx.print(f"Hello, {name}!")
    return {"greeting": f"Hello, {name}!"}


@hookimpl
def register_executors() -> Iterable[Executor[Any]]:
    return [greet]


@hookimpl
def register_web_panels(ctx: PluginContext) -> Iterable[WebPanel]:
    text = f"{ctx.settings(Settings).greeting} from a plugin. Try a step with `uses: greet`."
    return [WebPanel("greet", "home", "Greetings", MarkdownOf(text))]


@hookimpl
def register_commands(cli: App, ctx: PluginContext) -> None:
    greeting = ctx.settings(Settings).greeting

    @cli.command(name="greet")
    def greet_somebody(name: str) -> None:
        """Greet somebody on this terminal."""
        cli.console.print(f"{greeting}, {name}!")


@hookimpl(optionalhook=True)
def register_routes(ctx: PluginContext) -> Iterable[ControllerRouterHandler]:
    """Add ``GET /greet/NAME``. The hook is the server's: without ``optionalhook`` the plugin would fit servers only."""
    from litestar import MediaType, get

    greeting = ctx.settings(Settings).greeting

    @get("/greet/{name:str}", opt={"access": "public"}, media_type=MediaType.TEXT, sync_to_thread=False)
    def greet_route(name: str) -> str:
        return f"{greeting}, {name}!"

    return [greet_route]
