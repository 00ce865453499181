#!/bin/bash
# What each setting and each dependency costs in the Pi Zero's file: builds it again with one thing changed at a time.
#
#     cross/levers.sh >cross/levers.txt        (half an hour on two cores)
set -euo pipefail
cd "$(dirname "$0")/.."
target=arm-unknown-linux-musleabihf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR="$work/target" REBALANCER_ROUTE=zig
shipped=

# Copies the source, changes it with a command, builds it and prints the size.
lever() { # WHAT COMMAND...
    local what=$1 size
    shift
    rm -rf "$work/source"
    mkdir "$work/source"
    git ls-files -z | xargs -0 cp --parents -t "$work/source"
    if ! (cd "$work/source" && "$@" && cross/build.sh "$target") >"$work/log" 2>&1; then
        tail -20 "$work/log" >&2
        echo "cross/levers.sh: FAILED: $what" >&2
        exit 1
    fi
    size=$(wc -c <"$work/source/target/$target/release/rebalancer")
    shipped=${shipped:-$size}
    printf '%-62s %9d %+9d\n' "$what" "$size" $((size - shipped))
}

replace() { # FILE OLD NEW
    grep -qF -- "$2" "$1" || { echo "$1 has no '$2'"; return 1; }
    OLD=$2 NEW=$3 perl -pi -e 's/\Q$ENV{OLD}\E/$ENV{NEW}/g' "$1"
}
cargo_has() { replace Cargo.toml "$1" "$2"; }
release_has() { replace cross/release.toml "$1" "$2"; }

# The functions of src/tls.rs stay, unused.
provider() { # EXPRESSION
    replace src/tls.rs 'let _ = provider().install_default();' "$1" &&
        replace src/tls.rs 'fn provider()' '#[allow(dead_code)] fn provider()'
}
with_aws_lc() {
    provider 'let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();' &&
        cargo_has '["ring", "std", "tls12"]' '["ring", "aws-lc-rs", "std", "tls12"]' &&
        perl -ni -e '$gone ||= /aws_lc_0/; print unless $gone' .cargo/config.toml
}
without_tls() {
    provider '' && cargo_has 'default = ["builtin-roots"]' 'default = []'
}

echo "# Bytes of the stripped ARMv6 file, and the difference to the one that is shipped. Printed by cross/levers.sh."
echo "# $(date -u +%F), $(git rev-parse --short HEAD)"
lever "as shipped" true
echo
lever "opt-level s instead of z" cargo_has 'opt-level = "z"' 'opt-level = "s"'
lever "opt-level 3 instead of z" cargo_has 'opt-level = "z"' 'opt-level = 3'
lever "thin instead of fat LTO" cargo_has 'lto = "fat"' 'lto = "thin"'
lever "without overflow checks" cargo_has 'overflow-checks = true' 'overflow-checks = false'
lever "standard library not optimised for size" release_has '"optimize_for_size", ' ''
lever "standard library with names in backtraces" release_has '"backtrace-trace-only"' '"backtrace"'
lever "place of a panic kept in libraries, too" release_has 'location-detail=none' 'location-detail=file,line'
lever "place of a panic kept nowhere" release_has 'location-detail=file,line' 'location-detail=none'
lever "Debug forms of libraries kept" release_has '"-Zfmt-debug=none",' ''
lever "SHA-256 unrolled" release_has "'--cfg=sha2_backend_soft=\"compact\"'," ''
lever "unwind tables kept" release_has '"-Cforce-unwind-tables=no",' ''
lever "relocation model left at its default" release_has '"-Crelocation-model=static",' ''
lever "with LLVM's machine outliner (see release.toml)" \
    release_has '"-Cforce-unwind-tables=no",' '"-Cforce-unwind-tables=no", "-Cllvm-args=-enable-machine-outliner=always",'
echo
lever "ring as rustls offers it: keys of clients, Ed25519" \
    provider 'let _ = rustls::crypto::ring::default_provider().install_default();'
lever "aws-lc instead of ring" with_aws_lc
lever "TLS 1.3 only" perl -ni -e 'print unless /TLS_ECDHE/' src/tls.rs
lever "the system's certificate store instead of built-in roots" cargo_has 'default = ["builtin-roots"]' 'default = ["system-roots"]'
lever "no TLS at all" without_tls
echo
echo "# By crate, as far as code has a name: bytes of functions in the file before it is stripped. C is ring's and musl's own."
lever "as shipped, before it is stripped" cargo_has 'strip = true' 'strip = false' >/dev/null
nm -C -S "$work/source/target/$target/release/rebalancer" | awk '
    tolower($3) ~ /[tw]/ && NF >= 4 {
        name = $0; sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", name); gsub(/^[<&*]+(dyn |mut )?/, "", name)
        crate = name ~ /^[a-z_0-9]+::/ ? substr(name, 1, index(name, "::") - 1) : "C"
        size = 0; for (i = 1; i <= length($2); i++) size = size * 16 + index("0123456789abcdef", substr($2, i, 1)) - 1
        sum[crate] += size
    }
    END { for (crate in sum) if (sum[crate] >= 500) printf "%-62s %9d\n", crate, sum[crate] }' | sort -k2 -rn
