"""What psycopg 3 and asyncpg see through the proxy, beside what they see on one PostgreSQL.

PROXY_DSN and ORACLE_DSN name the two sides. REFUSALS=0 leaves out what only the proxy refuses, for a
run with PostgreSQL on both sides. Prints `N passed, N failed`; the exit status says whether all passed.
"""

import asyncio
import os
import sys
import traceback

import asyncpg
import psycopg
from psycopg.rows import dict_row

PROXY = os.environ["PROXY_DSN"]
ORACLE = os.environ["ORACLE_DSN"]
REFUSALS = os.environ.get("REFUSALS", "1") != "0"

CASES = []


def case(function):
    CASES.append(function)
    return function


def outcome(act, *arguments):
    """A value, or everything a driver tells about an error."""
    try:
        return ("value", act(*arguments))
    except psycopg.Error as error:
        diag = error.diag
        return ("error", type(error).__name__, diag.sqlstate, diag.message_primary,
                diag.message_detail, diag.message_hint, diag.statement_position)


def compare(act, **options):
    """Runs `act(connection)` on both sides, each on a new connection."""
    found = []
    for dsn in (ORACLE, PROXY):
        with psycopg.connect(dsn, **options) as connection:
            found.append(outcome(act, connection))
    assert found[0] == found[1], f"expected {found[0]!r}\n   found {found[1]!r}"
    return found[1]


def described(cursor):
    return [(c.name, c.type_code, c.precision, c.scale) for c in cursor.description or []]


READS = [
    ("select * from organizations where organization_id = %s", (42,)),
    ("select * from organizations where organization_id = %s::bigint", ("42",)),
    ("select * from matches where organization_id = %s order by match_id limit 20", (7,)),
    ("select * from detections where organization_id = %s order by detection_id limit 50", (7,)),
    ("select count(*), avg(score), max(detected_at) from detections where organization_id = %s", (7,)),
    ("select m.match_id, count(*) from matches m join detections d using (organization_id, match_id)"
     " where organization_id = %s group by 1 order by 1", (12,)),
    ("select c.name, d.score from detections d join classes c using (class_id)"
     " where d.organization_id = %s order by d.detection_id limit 9", (3,)),
    ("select * from classes order by class_id", ()),
    ("select * from notes where note_id = any(%s) order by note_id", ([1, 2, 40],)),
    # Rows of all shards.
    ("select * from organizations where organization_id > %s order by organization_id limit 60", (3,)),
    ("select country, count(*), max(name) from organizations group by country order by country", ()),
    ("select o.name, m.home from organizations o join matches m on m.match_id = o.organization_id"
     " where m.spectators > %s order by 1, 2", (10,)),
    ("select %s::text, %s::int, %s::numeric, %s::bool", ("it's ü", 1, 2.5, True)),
    ("select null::int, '{1,2,null}'::int[], '{\"a\": [1]}'::jsonb, interval '1 day 2 hours'", ()),
]


@case
def psycopg_reads_in_every_protocol():
    for sql, values in READS:
        for binary in (False, True):
            for prepare in (None, True, False):
                def act(connection):
                    with connection.cursor(binary=binary) as cursor:
                        rows = []
                        for _ in range(2):
                            cursor.execute(sql, values, prepare=prepare)
                            rows.append((cursor.fetchall(), cursor.statusmessage, described(cursor)))
                        return rows
                kind, *_ = compare(act)
                assert kind == "value", sql


@case
def psycopg_client_side_binding():
    for sql, values in READS:
        def act(connection):
            with psycopg.ClientCursor(connection) as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall(), cursor.statusmessage
        compare(act)


@case
def psycopg_many_prepared_statements():
    def act(connection):
        connection.prepare_threshold = 1
        connection.prepared_max = 5
        rows = []
        for _ in range(3):
            for number in range(12):
                sql = f"select {number} as n{number}, name from organizations where organization_id = %s"
                rows.append(connection.execute(sql, (number + 1,)).fetchone())
                connection.commit()
        return rows
    compare(act)


@case
def psycopg_writes():
    def act(connection):
        with connection.cursor(row_factory=dict_row) as cursor:
            seen = []
            for sql, values in [
                ("insert into accounts (organization_id, balance, note) values (%s, %s, %s) returning *", (501, 10, "new")),
                ("update accounts set balance = balance - %s where organization_id = %s", (3, 501)),
                ("select * from accounts where organization_id = %s", (501,)),
                ("insert into accounts (organization_id, balance) values (%s, 1) on conflict (organization_id) do nothing", (501,)),
                ("delete from accounts where organization_id = %s returning balance", (501,)),
                ("insert into notes values (%s, %s)", (501, "unlisted")),
                ("delete from notes where note_id = %s", (501,)),
            ]:
                cursor.execute(sql, values)
                seen.append((cursor.rowcount, cursor.statusmessage))
                if cursor.description:
                    seen.append(cursor.fetchall())
                connection.commit()
            return seen
    compare(act)


@case
def psycopg_executemany_and_pipeline():
    def act(connection):
        seen = []
        with connection.cursor() as cursor:
            cursor.executemany("insert into accounts (organization_id, balance) values (%s, %s) returning balance",
                               [(601, 1), (602, 2)], returning=True)
            seen.append(cursor.fetchall())
            cursor.nextset()
            seen.append(cursor.fetchall())
            connection.commit()
        with connection.pipeline() as pipeline:
            with connection.cursor() as cursor:
                for balance in (5, 6, 7):
                    cursor.execute("update accounts set balance = %s where organization_id = 601", (balance,))
                cursor.execute("select balance from accounts where organization_id = 601")
                pipeline.sync()
                seen.append(cursor.fetchall())
        connection.commit()
        for organization in (601, 602):
            connection.execute("delete from accounts where organization_id = %s", (organization,))
            connection.commit()
        connection.commit()
        return seen
    compare(act)


@case
def psycopg_pipeline_error():
    def act(connection):
        connection.autocommit = True
        try:
            with connection.pipeline():
                connection.execute("select 1")
                connection.execute("select nothing")
                connection.execute("select 2")
        except psycopg.errors.UndefinedColumn as error:
            first = error.diag.sqlstate
        return first, connection.execute("select 'fine again'").fetchone()
    compare(act)


@case
def psycopg_transactions():
    def act(connection):
        seen = []
        connection.execute("insert into accounts (organization_id, balance) values (701, 1)")
        try:
            with connection.transaction():
                connection.execute("update accounts set balance = 2 where organization_id = 701")
                connection.execute("update accounts set balance = -2 where organization_id = 701")
        except psycopg.errors.CheckViolation as error:
            seen.append((error.diag.sqlstate, error.diag.constraint_name, error.diag.table_name))
        seen.append(connection.execute("select balance from accounts where organization_id = 701").fetchall())
        with connection.transaction(force_rollback=True):
            connection.execute("delete from accounts where organization_id = 701")
        seen.append(connection.info.transaction_status.name)
        connection.rollback()
        seen.append(connection.execute("select balance from accounts where organization_id = 701").fetchall())
        connection.isolation_level = None
        connection.rollback()
        return seen
    compare(act)


@case
def psycopg_server_cursor():
    def act(connection):
        with connection.cursor("named") as cursor:
            cursor.itersize = 3
            cursor.execute("select detection_id from detections where organization_id = %s order by 1", (7,))
            seen = [[row for row, _ in zip(cursor, range(20))], cursor.fetchmany(4)]
        with connection.cursor("of_all") as cursor:
            cursor.itersize = 3
            cursor.execute("select * from organizations where organization_id > %s order by 1", (7,))
            seen += [[row for row, _ in zip(cursor, range(20))], cursor.fetchmany(4)]
        return seen
    compare(act)


@case
def psycopg_stream():
    def act(connection):
        with connection.cursor() as cursor:
            sql = "select * from detections where organization_id = %s order by detection_id"
            seen = list(cursor.stream(sql, (7,)))
            sql = "select * from organizations where organization_id <> %s order by organization_id"
            return seen + list(cursor.stream(sql, (7,)))
    compare(act)


@case
def psycopg_copy():
    def act(connection):
        with connection.cursor() as cursor:
            with cursor.copy("copy notes (note_id, body) from stdin") as copy:
                for number in range(800, 820):
                    copy.write_row((number, f"tab\tand 'quote' {number}"))
            seen = [cursor.rowcount]
            with cursor.copy("copy (select * from notes where note_id >= 800 order by 1) to stdout") as copy:
                seen.append(list(copy.rows()))
            with cursor.copy("copy (select * from matches where organization_id = 42 order by match_id)"
                             " to stdout (format binary)") as copy:
                seen.append(b"".join(bytes(block) for block in copy))
            with cursor.copy("copy (select * from organizations order by organization_id) to stdout") as copy:
                seen.append(list(copy.rows()))
            with cursor.copy("copy classes to stdout") as copy:
                seen.append(sorted(copy.rows()))
            cursor.execute("delete from notes where note_id >= 800")
            return seen
    compare(act)


@case
def psycopg_errors():
    for sql in ["selec 1", "select nothing from organizations where organization_id = 1",
                "select * from missing", "select 1 / 0", "select 'ü', nothing",
                "insert into accounts (organization_id, balance) values (1, -1)", "select %s::int"]:
        values = ("x",) if "%s" in sql else None
        kind, *_ = compare(lambda connection: connection.execute(sql, values).fetchall())
        assert kind == "error", sql


@case
def psycopg_notices_and_settings():
    def act(connection):
        heard = []
        connection.add_notice_handler(lambda diag: heard.append((diag.severity, diag.message_primary)))
        connection.execute("drop table if exists no_such_table")
        connection.execute("set application_name = 'compare'")
        connection.commit()
        connection.execute("set timezone = 'Asia/Tokyo'")
        connection.commit()
        return (heard, connection.info.parameter_status("application_name"),
                connection.info.parameter_status("TimeZone"), connection.info.encoding,
                connection.execute("show timezone").fetchone(), connection.info.server_version,
                connection.execute("select detected_at::text from detections where organization_id = 7"
                                   " and detection_id = 1").fetchone())
    compare(act)


@case
def psycopg_cancel():
    def act(connection):
        import threading
        timer = threading.Timer(0.5, connection.cancel)
        timer.start()
        try:
            return connection.execute("select pg_sleep(20)").fetchall()
        finally:
            timer.cancel()
    kind, name, *_ = compare(act)
    assert (kind, name) == ("error", "QueryCanceled")


@case
def psycopg_multiple_statements():
    def act(connection):
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select 1; select name from organizations where organization_id = 42; select 3")
            seen = [cursor.fetchall()]
            while cursor.nextset():
                seen.append(cursor.fetchall())
            return seen
    compare(act)


@case
def psycopg_refusals():
    if not REFUSALS:
        return
    with psycopg.connect(PROXY, autocommit=True) as connection:
        for sql in ["select * from organizations for update", "update organizations set name = 'x'",
                    "insert into classes values (99, 'x')",
                    "delete from accounts where organization_id > 3"]:
            for prepare in (False, True):
                try:
                    connection.execute(sql, prepare=prepare)
                    raise AssertionError(f"answered: {sql}")
                except psycopg.errors.FeatureNotSupported as error:
                    assert error.diag.message_hint, f"no way out is named: {error}"
        assert connection.execute("select 1").fetchone() == (1,)


async def with_asyncpg(act):
    found = []
    for dsn in (ORACLE, PROXY):
        connection = await asyncpg.connect(dsn)
        try:
            found.append(("value", await act(connection)))
        except asyncpg.PostgresError as error:
            found.append(("error", type(error).__name__, error.sqlstate, str(error),
                          getattr(error, "position", None)))
        finally:
            await connection.close()
    assert found[0] == found[1], f"expected {found[0]!r}\n   found {found[1]!r}"
    return found[1]


def compare_async(act):
    return asyncio.run(with_asyncpg(act))


ASYNC_READS = [
    ("select * from organizations where organization_id = $1", (42,)),
    ("select * from matches where organization_id = $1 order by match_id limit 20", (7,)),
    ("select * from detections where organization_id = $1 order by detection_id limit 50", (7,)),
    ("select c.name, count(*) from detections d join classes c using (class_id)"
     " where d.organization_id = $1 group by 1 order by 1", (7,)),
    ("select * from classes order by 1", ()),
    ("select * from notes where note_id = any($1) order by 1", ([1, 2, 3],)),
    ("select * from organizations where organization_id = any($1) order by 1", (list(range(1, 30)),)),
    ("select country, count(*), max(name) from organizations group by country order by country", ()),
    ("select $1::text, $2::int[], $3::jsonb", ("x", [1, 2], '{"a": 1}')),
]


@case
def asyncpg_reads():
    async def act(connection):
        seen = []
        for sql, values in ASYNC_READS:
            for _ in range(3):
                seen.append([tuple(row) for row in await connection.fetch(sql, *values)])
        return seen
    assert compare_async(act)[0] == "value"


@case
def asyncpg_prepared_and_cursor():
    async def act(connection):
        statement = await connection.prepare("select match_id, home from matches where organization_id = $1")
        names = [(a.name, a.type.name) for a in statement.get_attributes()]
        kinds = [p.name for p in statement.get_parameters()]
        seen = [names, kinds, statement.get_statusmsg()]
        async with connection.transaction():
            cursor = await connection.cursor(
                "select detection_id from detections where organization_id = $1 order by 1", 7)
            seen.append([tuple(row) for row in await cursor.fetch(3)])
            await cursor.forward(2)
            seen.append([tuple(row) for row in await cursor.fetch(3)])
            rows = connection.cursor("select match_id from matches where organization_id = 42 order by 1",
                                     prefetch=2)
            seen.append([row[0] async for row in rows])
            rows = connection.cursor("select organization_id from organizations order by 1", prefetch=7)
            seen.append([row[0] async for row in rows])
        return seen
    compare_async(act)


@case
def asyncpg_writes_and_transactions():
    async def act(connection):
        seen = [await connection.execute("insert into accounts (organization_id, balance, note) values ($1, $2, $3)", 901, 5, "async")]
        try:
            async with connection.transaction():
                await connection.execute("update accounts set balance = 9 where organization_id = $1", 901)
                raise KeyError
        except KeyError:
            pass
        seen.append(await connection.fetchval("select balance from accounts where organization_id = $1", 901))
        async with connection.transaction():
            async with connection.transaction():
                await connection.execute("update accounts set note = 'kept' where organization_id = 901")
        await connection.executemany("update accounts set balance = $1 where organization_id = 901",
                                     [(7,), (8,)])
        seen.append(await connection.fetchval("select balance from accounts where organization_id = 901"))
        seen.append(await connection.execute("delete from accounts where organization_id = 901"))
        return seen
    compare_async(act)


@case
def asyncpg_copy():
    async def act(connection):
        import io
        out = io.BytesIO()
        rows = [(number, f"row {number}") for number in range(950, 960)]
        seen = [await connection.copy_records_to_table("notes", records=rows, columns=["note_id", "body"])]
        seen.append(await connection.copy_from_query(
            "select * from notes where note_id >= 950 order by 1", output=out))
        seen.append(out.getvalue())
        seen.append(await connection.execute("delete from notes where note_id >= 950"))
        return seen
    compare_async(act)


@case
def asyncpg_errors():
    for sql in ["select nothing", "select 1 / 0", "insert into accounts (organization_id, balance) values (1, -1)",
                "select * from missing where organization_id = 1"]:
        async def act(connection):
            return await connection.fetch(sql)
        assert compare_async(act)[0] == "error", sql


@case
def asyncpg_many_connections():
    async def act():
        connections = await asyncio.gather(*(asyncpg.connect(PROXY) for _ in range(20)))
        sql = "select name from organizations where organization_id = $1"
        for round in range(5):
            names = await asyncio.gather(*(c.fetchval(sql, n + 1) for n, c in enumerate(connections)))
            assert names == [f"Organization {n + 1}" for n in range(20)], names
        await asyncio.gather(*(c.close() for c in connections))
    asyncio.run(act())


def main():
    failed = 0
    for function in CASES:
        try:
            function()
            print(f"ok   {function.__name__}")
        except Exception:
            failed += 1
            print(f"FAIL {function.__name__}")
            traceback.print_exc(file=sys.stdout)
    print(f"{len(CASES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
