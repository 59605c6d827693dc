"""Three ordered steps from a plain script: no server, no port. Run it: python examples/embed_script.py"""

import asyncio

from plumber_core import Plumber, Step, Task

dump = Step(name="dump", run='echo "file=shop.sql" >> "$PLUMBER_OUTPUT"')
check = Step(name="check", run='echo "checking $FILE"', env={"FILE": "${{ steps.dump.outputs.file }}"})
tell = Step(name="tell", run="echo all is well")


async def main() -> None:
    async with Plumber("sqlite:///ops.db") as plumber:
        execution = await plumber.run(Task(name="nightly", on="local", steps=[dump, check, tell]))
        print(execution.state, *(f"{step.step}={step.state}" for step in execution.steps))


asyncio.run(main())
