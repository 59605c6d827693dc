"""A second program that only dispatches: agents of a server do the work. Run it beside a server on PostgreSQL:

DATABASE_URL=postgresql://... python examples/embed_dispatcher.py TASK
"""

import asyncio
import os
import sys

from plumber_core import Plumber, PlumberError


async def main(task: str) -> int:
    try:
        async with Plumber(os.environ["DATABASE_URL"], local_agent=False) as plumber:
            begun = await plumber.tasks.run(task=task, reason="dispatched by another program")
            ended = await plumber.wait(begun.id)
            print(ended.id, ended.state)
    except PlumberError as error:
        # Such as on SQLite, where only one process may write.
        print(error, file=sys.stderr)
        return 2
    return 0 if ended.state == "succeeded" else 1


sys.exit(asyncio.run(main(sys.argv[1])))
