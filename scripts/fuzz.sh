#!/usr/bin/env bash
# Fuzzes every target, or those named after the time, for some seconds each: the kept corpus is replayed
# first. What is found new goes to a directory under target/, so that the checkout stays as it is.
#
#   scripts/fuzz.sh [SECONDS [TARGET…]]
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true

command -v cargo-fuzz >/dev/null 2>&1 || cargo install cargo-fuzz --locked --quiet --version '^0.13'

# Coverage-guided on the stable compiler. `unsafe` is forbidden, so a sanitizer would find nothing; debug
# assertions and overflow checks are on.
build=(--sanitizer none --debug-assertions)
cargo fuzz build "${build[@]}"

if [ $# -gt 0 ]; then
    targets=("$@")
else
    mapfile -t targets < <(cargo fuzz list)
fi
host=$(rustc -vV | sed -n 's/^host: //p')
for target in "${targets[@]}"; do
    printf '\n-- fuzz %s, %s s\n' "$target" "$seconds"
    found="fuzz/target/found/$target"
    artifacts="fuzz/artifacts/$target/"
    mkdir -p "$found" "$artifacts" "fuzz/corpus/$target"
    options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$artifacts")
    case $target in
    lex | plan) options+=(-dict=fuzz/sql.dict) ;;
    esac
    "fuzz/target/$host/release/$target" "${options[@]}" "$found" "fuzz/corpus/$target"
done
