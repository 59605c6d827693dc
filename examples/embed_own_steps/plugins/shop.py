"""A type of step that belongs to this program: no package, just a file in its folder of plugins."""

from pydantic import BaseModel

from plumber_core import Executor, PluginContext, StepContext, executor, hookimpl


class Settings(BaseModel):
    """``[plugins.shop]``."""

    currency: str = "EUR"


@hookimpl
def register_executors(ctx: PluginContext) -> list[Executor]:
    settings = ctx.settings(Settings)

    @executor("shop-total", summary="add up {amounts}")
    async def total(ctx: StepContext, amounts: list[float]) -> dict[str, str]:
        """Adds up amounts."""
        await ctx.print(f"adding {len(amounts)} amounts")
        return {"total": f"{sum(amounts):.2f} {settings.currency}"}

    return [total]
