#!/usr/bin/env bash
# Runs once in each new primary: its replica may connect.
set -euo pipefail
echo 'host replication app all scram-sha-256' >>"$PGDATA/pg_hba.conf"
