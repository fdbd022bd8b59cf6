"""asyncpg, which prepares every statement and keeps it: reads through TVIEWs while sources and TVIEWs get other columns.

Danger: a statement that was prepared before an ALTER of a source, a replaced or a rewritten TVIEW shows rows of before, or fails
where one over a table would not. Right answer: each read shows its session's last commit, also from a pool, whose connections
are reset between two users."""
import asyncio

import asyncpg

from tviews_server import Server, check_equal

REPLACEMENT = """SELECT pg_tviews_replace('book',
  $$SELECT id, jsonb_build_object('title', title, 'id', id) AS data, length(title) AS size FROM book$$)"""


async def main(server):
    async with asyncpg.create_pool(host=server.socket, user="postgres", database="shop", min_size=2, max_size=2) as pool:
        async def write_and_read(number):
            async with pool.acquire() as session:
                await session.execute("UPDATE book SET title = $1 WHERE id = 1", f"Emma {number}")
                return await session.fetchval("SELECT data->>'title' FROM tv_book WHERE id = $1", 1)

        async def check():
            for number in range(12):
                assert await write_and_read(number) == f"Emma {number}", number

        await check()
        async with pool.acquire() as session, session.transaction():
            await session.execute("ALTER TABLE book ALTER COLUMN title TYPE text")
        await check()
        async with pool.acquire() as first, pool.acquire() as second:
            before = await first.fetchrow("SELECT * FROM tv_book WHERE id = $1", 1)
            await second.execute(REPLACEMENT)
            after = await first.fetchrow("SELECT * FROM tv_book WHERE id = $1", 1)  # asyncpg prepares it once more by itself
            assert len(before) == 2 and len(after) == 3, (before, after)
        await check()


with Server("asyncpg") as server:
    session = server.prepare("shop", """
        CREATE TABLE book (id int PRIMARY KEY, title varchar(30) NOT NULL);
        INSERT INTO book VALUES (1, 'Emma');
        CREATE TABLE tv_book AS SELECT id, jsonb_build_object('title', title) AS data FROM book""")
    asyncio.run(main(server))
    check_equal(session)
