"""A step function of one's own, run by Plumber in this program. Run it: python examples/embed_own_steps/main.py"""

import asyncio
from pathlib import Path

from plumber_core import Plumber, Step, Task

PLUGINS = {"folder": str(Path(__file__).parent / "plugins"), "shop": {"currency": "CNY"}}
add = Step(name="add", uses="shop-total", with_={"amounts": [19.9, 5]})
tell = Step(name="tell", run='echo "sold for $TOTAL"', env={"TOTAL": "${{ steps.add.outputs.total }}"})


async def main() -> None:
    # Steps have processes of their own, so that they can be ended and limited: a function lives in a file, not in here.
    async with Plumber("sqlite:///shop.db", plugins=PLUGINS) as plumber:
        execution = await plumber.run(Task(name="sell", on="local", steps=[add, tell]))
        print(execution.state, execution.steps[0].attempts[0].outputs["total"])


asyncio.run(main())
