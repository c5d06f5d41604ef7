"""libpq 18 asks for protocol 3.2 and cancels by its long key."""

import os
import threading
import time

import psycopg

dsn = os.environ["PROXY_DSN"]
assert psycopg.pq.version() >= 180000, psycopg.pq.version()

for version in ("3.0", "3.2", "latest"):
    with psycopg.connect(dsn, max_protocol_version=version, autocommit=True) as connection:
        spoken = connection.pgconn.full_protocol_version
        assert spoken == (30000 if version == "3.0" else 30002), (version, spoken)
        assert connection.execute("select 1").fetchone() == (1,)

        def cancel():
            while not done.wait(0.2):
                connection.cancel_safe(timeout=10)

        done = threading.Event()
        thread = threading.Thread(target=cancel)
        thread.start()
        started = time.monotonic()
        try:
            connection.execute("select pg_sleep(60)")
            raise AssertionError("not cancelled")
        except psycopg.errors.QueryCanceled:
            pass
        finally:
            done.set()
            thread.join()
        assert time.monotonic() - started < 20
        # A cancel may have been on its way still.
        for _ in range(3):
            try:
                assert connection.execute("select 2").fetchone() == (2,)
                break
            except psycopg.errors.QueryCanceled:
                pass
