"""Drivers look types up by the OIDs they are told, and keep what they have found."""

import asyncio
import os

import asyncpg
import psycopg
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum

proxy_dsn, oracle_dsn = os.environ["PROXY_DSN"], os.environ["ORACLE_DSN"]
organizations = [int(text) for text in os.environ["ORGANIZATIONS"].split(",")]

READ = "select id, m, ms, p, ps, n, a, aa, d from feelings where organization_id = {} order by id"
WRITE = "insert into feelings (organization_id, id, m, ms, p, ps) values ({}, {}, {}, {}, {}, {})"


async def with_asyncpg():
    """All in binary form, by statements that are prepared once."""
    sides = [await asyncpg.connect(dsn) for dsn in (proxy_dsn, oracle_dsn)]
    pair = ("sad", [1, 2])
    answers = []
    for side in sides:
        read = await side.prepare(READ.format("$1"))
        write = await side.prepare(WRITE.format("$1", "$2", "$3", "$4", "$5", "$6"))
        rows = []
        for organization in organizations:
            await write.fetch(organization, 50, "ok", ["ok", None], pair, [pair, None])
            rows += [tuple(row) for row in await read.fetch(organization)]
        # Several shards, and a type that is named in the text.
        rows += [tuple(row) for row in await side.fetch(
            "select organization_id, ms from feelings where m = any($1::mood[]) order by 1, id", ["ok"]
        )]
        answers.append((rows, [str(attribute.type) for attribute in read.get_attributes()]))
        await side.close()
    assert answers[0] == answers[1], answers


def with_psycopg():
    """Parameters with the OIDs of registered types, in text and in binary form."""
    answers = []
    for dsn in (proxy_dsn, oracle_dsn):
        with psycopg.connect(dsn, autocommit=True) as connection:
            mood = EnumInfo.fetch(connection, "mood")
            register_enum(mood, connection)
            info = CompositeInfo.fetch(connection, "pair")
            register_composite(info, connection)
            pair = info.python_type(mood.enum.happy, [3])
            rows = []
            for number, organization in enumerate(organizations):
                for mark in ("%s", "%b", "%t"):
                    key = 60 + "stb".index(mark[1])
                    text = WRITE.format(organization, key, mark, mark, mark, mark)
                    values = (mood.enum.ok, [mood.enum.ok], pair, [pair])
                    connection.execute(text, values, prepare=number > 0)
                for binary in (False, True):
                    text = READ.format("%s")
                    read = connection.execute(text, (organization,), binary=binary, prepare=True)
                    rows += [str(row) for row in read.fetchall()]
            answers.append(rows)
    assert answers[0] == answers[1], answers


asyncio.run(with_asyncpg())
with_psycopg()
