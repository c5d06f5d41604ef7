#!/usr/bin/env bash
# Copies the primary's data the first time, then follows it.
set -euo pipefail
export PGDATA=/var/lib/postgresql/data
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    pg_basebackup -h "$PRIMARY" -U app -D "$PGDATA" -X stream -c fast -R
    chmod 700 "$PGDATA"
fi
exec postgres -c hot_standby=on -c max_prepared_transactions=100 -c wal_level=logical
