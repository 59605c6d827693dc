"""What the original's agents report in one piece, on both databases."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from plumber_core.app import Plumber
from plumber_core.model.task import Step
from plumber_core.protocol.frames import MAX_CHUNK, STDOUT, decode_frames
from plumber_core.storage import tables as t
from support.embedded import only_step, start

OUTPUT = "".join(f"line {number} 好\n" for number in range(200_000))


async def test_a_large_output_is_stored_in_rows_like_any_other_once_however_often_it_is_told(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="old")
    token = created.config.token
    await plumber.original.register(token, created.agent.id, "host", "10.0.0.7")
    execution = await start(plumber, Step(name="one", run="1"))
    given = await plumber.original.poll(token, created.agent.id)
    assert given is not None
    for _ in range(2):
        await plumber.original.report(token, given["step_id"], "success", 0, OUTPUT)
    piece = await plumber.read_log(given["step_id"], 0, 1, line=199_999)
    assert await longest_row(plumber) <= MAX_CHUNK
    assert [frame.data for frame in decode_frames(piece.data)][-1].endswith("line 199999 好\n".encode())
    assert (await only_step(plumber, execution)).attempts[0].log_complete
    assert await whole(plumber, given["step_id"]) == OUTPUT.encode()


async def longest_row(plumber: Plumber) -> int:
    query = select(func.max(t.log_chunks.c.stop - t.log_chunks.c.start))

    def work(connection: Connection) -> int:
        return int(connection.execute(query).scalar_one())

    return await plumber._store.database.read(work)


async def whole(plumber: Plumber, attempt: str) -> bytes:
    printed, offset = b"", 0
    while (piece := await plumber.read_log(attempt, offset, MAX_CHUNK)).data:
        printed += b"".join(frame.data for frame in decode_frames(piece.data) if frame.stream == STDOUT)
        offset += len(piece.data)
    return printed
