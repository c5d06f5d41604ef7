#!/usr/bin/env bash
# Installs from the distribution's packages what the demo and the tests need. Says nothing and changes
# nothing when everything is there. `setup.sh bench` also installs what `make bench` compares with,
# `setup.sh oracle` what the package `oracle` is built with.
set -euo pipefail

wanted=()

have_postgres() {
    local dir
    if [ -n "${TRUNKLINE_PG_BIN:-}" ]; then
        [ -x "$TRUNKLINE_PG_BIN/initdb" ] && return 0
        echo "setup: TRUNKLINE_PG_BIN=$TRUNKLINE_PG_BIN has no initdb in it" >&2
        exit 1
    fi
    command -v initdb >/dev/null 2>&1 && command -v pg_basebackup >/dev/null 2>&1 && return 0
    for dir in /usr/lib/postgresql/*/bin; do
        [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/pg_basebackup" ] && return 0
    done
    return 1
}

# Debian splits ensurepip from Python, so the module venv can be there and yet make no environment.
have_venv() {
    python3 -c 'import venv, ensurepip' >/dev/null 2>&1
}

have_postgres || wanted+=(postgresql)
command -v psql >/dev/null 2>&1 || wanted+=(postgresql-client)
command -v cc >/dev/null 2>&1 || wanted+=(build-essential)
have_venv || wanted+=(python3 python3-venv)
command -v node >/dev/null 2>&1 || wanted+=(nodejs)
command -v npm >/dev/null 2>&1 || wanted+=(npm)
have_libclang() {
    local found
    for found in /usr/lib/llvm-*/lib/libclang.so* /usr/lib/llvm-*/lib/libclang-[0-9]*.so*; do
        [ -e "$found" ] && return 0
    done
    return 1
}

if [ "${1:-}" = oracle ]; then
    have_libclang || wanted+=(libclang-dev)
fi
# Daemons are often where only root's path leads.
have_daemon() {
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]
}

if [ "${1:-}" = bench ]; then
    [ -x "${TRUNKLINE_BENCH_PGBOUNCER:-}" ] || have_daemon pgbouncer || wanted+=(pgbouncer)
    have_daemon haproxy || wanted+=(haproxy)
    command -v strace >/dev/null 2>&1 || wanted+=(strace)
    command -v valgrind >/dev/null 2>&1 || wanted+=(valgrind)
fi

# Root's servers run as the account that the package makes.
if [ "$(id -u)" = 0 ] && ! id -u postgres >/dev/null 2>&1; then
    wanted+=(postgresql)
fi

[ ${#wanted[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install what is missing (Debian's names): ${wanted[*]}" >&2
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null 2>&1; then
    as_root=(sudo)
else
    echo "setup: cannot install packages: neither root nor sudo. Please have installed: ${wanted[*]}" >&2
    exit 1
fi

export DEBIAN_FRONTEND=noninteractive
run() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "$@"; }

# The package postgresql makes and starts a cluster of its own, which nobody here needs. An
# administrator's own file is left as it is.
if [[ " ${wanted[*]} " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    run mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | run tee /etc/postgresql-common/createcluster.conf >/dev/null
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "setup: installing ${wanted[*]}"
if ! { run apt-get update && run apt-get install --yes --no-install-recommends "${wanted[@]}"; } >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "setup: could not install ${wanted[*]}" >&2
    exit 1
fi

# A service that a package has started listens where nobody asked it to.
for service in pgbouncer haproxy; do
    if [[ " ${wanted[*]} " == *" $service "* ]] && command -v systemctl >/dev/null 2>&1; then
        run systemctl disable --now "$service" >/dev/null 2>&1 || true
    fi
done
