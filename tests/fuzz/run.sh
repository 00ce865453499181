#!/usr/bin/env bash
# Fuzzes every reader of untrusted text, guided by coverage and with the address sanitizer: json, rows (lists as streams), venue (whole
# answers through the adapter), config, journal, cache (trading rules), paper (the paper account), list (lists of coins, CoinGecko's and
# one's own), universe (what is remembered of them), words (dates, amounts, schedules, addresses), head (whole HTTP answers through
# the real client).
#
#     tests/fuzz/run.sh SECONDS_PER_TARGET [TARGET...]
#
# Prints a line a target, and ends with 1 when one of them crashed, hung or took too much memory; the input that did it is then in
# tests/fuzz/artifacts/TARGET, and the same command shows it again:
#
#     tests/fuzz/target/x86_64-unknown-linux-gnu/release/TARGET tests/fuzz/artifacts/TARGET/FILE
#
# Begins with tests/fuzz/seeds and with what earlier runs found in tests/fuzz/grown (not kept in the repository). Needs a C++
# compiler and cargo-fuzz; what is absent is installed. The compiler is the ordinary one: RUSTC_BOOTSTRAP lets it use -Z.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?usage: tests/fuzz/run.sh SECONDS_PER_TARGET [TARGET...]}
shift
all=(json rows venue config journal cache paper list universe words head)
[ $# -gt 0 ] || set -- "${all[@]}"

export RUSTC_BOOTSTRAP=1
if ! command -v c++ >/dev/null; then
    echo "fuzz: installing g++" >&2
    apt-get update -q >&2 && apt-get install -y -q g++ >&2
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz: installing cargo-fuzz 0.13.2" >&2
    cargo install cargo-fuzz --locked --version 0.13.2
fi
triple=$(rustc -vV | sed -n 's/^host: //p')
cargo fuzz build --fuzz-dir . --target "$triple" >&2

crashes=0
printf '%-8s %12s %9s %9s %9s %9s %8s %s\n' target executions per_s coverage features corpus peak_mb crashes
for target; do
    mkdir -p "grown/$target" "artifacts/$target"
    log=target/$target.log
    # The head has a limit of its own, and says why; and a thread that reads a body may outlive its run, which is no leak.
    longest=8192 leaks=1
    [ "$target" != head ] || longest=4096 leaks=0
    before=$(find "artifacts/$target" -type f | wc -l)
    status=0
    # A single allocation above 64 MB, a run above 10 s, and a leak are crashes.
    ASAN_OPTIONS=detect_odr_violation=0 "target/$triple/release/$target" "grown/$target" "seeds/$target" \
        -artifact_prefix="artifacts/$target/" -dict=json.dict -max_len=$longest -max_total_time="$seconds" \
        -timeout=10 -detect_leaks=$leaks -malloc_limit_mb=64 -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1 || status=$?
    after=$(find "artifacts/$target" -type f | wc -l)
    found=$((after - before))
    # The same input again has the same name.
    [ "$status" = 0 ] || [ "$found" -gt 0 ] || found=1
    crashes=$((crashes + found))
    stat() { sed -n "s/^stat::$1: *//p" "$log" | tail -1; }
    last=$(grep -aE '^#[0-9]+.* cov: ' "$log" | tail -1 || true)
    field() { printf '%s' "$last" | sed -n "s/.* $1: \([^ ]*\).*/\1/p"; }
    printf '%-8s %12s %9s %9s %9s %9s %8s %s\n' "$target" "$(stat number_of_executed_units)" "$(stat average_exec_per_sec)" \
        "$(field cov)" "$(field ft)" "$(field corp | cut -d/ -f1)" "$(stat peak_rss_mb)" "$found"
    [ "$found" = 0 ] || grep -aE -A2 'panicked at|^==.*ERROR|^SUMMARY|Test unit written' "$log" | cut -c1-600 | head -20 >&2 || true
done
[ "$crashes" = 0 ] || { echo "fuzz: $crashes crashes, see tests/fuzz/artifacts" >&2; exit 1; }
