#!/bin/bash
# What each setting and each dependency costs in the Pi Zero's file: builds it again with one thing changed at a time.
#
#     cross/levers.sh >cross/levers.txt        (half an hour on two cores)
set -euo pipefail
cd "$(dirname "$0")/.."
target=arm-unknown-linux-musleabihf
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR="$work/target"
shipped=

# Copies the source, changes it with the words of $2, builds it and prints the size.
lever() { # WHAT CHANGE
    rm -rf "$work/source"
    mkdir "$work/source"
    git ls-files -z | xargs -0 cp --parents -t "$work/source"
    (cd "$work/source" && eval "$2")
    if ! (cd "$work/source" && cross/build.sh "$target") >"$work/log" 2>&1; then
        tail -20 "$work/log" >&2
        echo "cross/levers.sh: FAILED: $1" >&2
        exit 1
    fi
    local size
    size=$(wc -c <"$work/source/target/$target/release/rebalancer")
    shipped=${shipped:-$size}
    printf '%-62s %9d %+9d\n' "$1" "$size" $((size - shipped))
}

in_cargo() { echo "sed -i 's/$1/$2/' Cargo.toml && grep -q '$2' Cargo.toml"; }
# Takes away, or puts in place of, one flag of the release settings; fails when it is not there.
in_release() { echo "grep -qF -- '$1' cross/release.toml && sed -i 's|$1|${2:-}|' cross/release.toml"; }

echo "# Bytes of the stripped ARMv6 file, and the difference to the one that is shipped. Printed by cross/levers.sh."
echo "# $(date -u +%F), $(git rev-parse --short HEAD)"
lever "as shipped" true
echo
lever "opt-level s instead of z" "$(in_cargo 'opt-level = "z"' 'opt-level = "s"')"
lever "opt-level 3 instead of z" "$(in_cargo 'opt-level = "z"' 'opt-level = 3')"
lever "thin instead of fat LTO" "$(in_cargo 'lto = "fat"' 'lto = "thin"')"
lever "without overflow checks" "$(in_cargo 'overflow-checks = true' 'overflow-checks = false')"
lever "standard library not optimised for size" "$(in_release '"optimize_for_size", ')"
lever "standard library with names in backtraces" "$(in_release '"backtrace-trace-only"' '"backtrace"')"
lever "place of a panic kept in libraries, too" "$(in_release 'location-detail=none' 'location-detail=file,line')"
lever "place of a panic kept nowhere" "$(in_release 'location-detail=file,line' 'location-detail=none')"
lever "Debug forms of libraries kept" "$(in_release '    "-Zfmt-debug=none",')"
lever "SHA-256 unrolled" "$(in_release "    '--cfg=sha2_backend_soft=\"compact\"',")"
lever "unwind tables kept" "$(in_release '"-Cforce-unwind-tables=no",')"
lever "relocation model left at its default" "$(in_release '    "-Crelocation-model=static",')"
lever "with LLVM's machine outliner (crashes: see release.toml)" "$(in_release '"-Cforce-unwind-tables=no",' '"-Cforce-unwind-tables=no", "-Cllvm-args=-enable-machine-outliner=always",')"
echo
provider="sed -i 's/let _ = provider().install_default();/let _ = rustls::crypto::ring::default_provider().install_default();/; s/^fn provider/#[allow(dead_code)]\nfn provider/; s/^    Random\$//' src/tls.rs"
lever "ring as rustls offers it: client keys, Ed25519" "$provider"
lever "aws-lc instead of ring" "${provider//ring::default/aws_lc_rs::default}; sed -i 's/\"ring\", \"std\", \"tls12\"/\"ring\", \"aws-lc-rs\", \"std\", \"tls12\"/' Cargo.toml; sed -i '/aws_lc_0/,\$d' .cargo/config.toml"
lever "TLS 1.3 only" "sed -i '/TLS_ECDHE/d' src/tls.rs"
lever "the system's certificate store instead of built-in roots" "$(in_cargo 'default = \["builtin-roots"\]' 'default = ["system-roots"]')"
lever "no TLS at all" "$(in_cargo 'default = \["builtin-roots"\]' 'default = []'); sed -i 's/    let _ = provider().install_default();//; s/^fn provider/#[allow(dead_code)]\nfn provider/' src/tls.rs"
echo
echo "# By crate, as far as code has a name: bytes of functions in the file before it is stripped. C is ring's and musl's own."
lever "as shipped, before it is stripped" "$(in_cargo 'strip = true' 'strip = false')" >/dev/null
nm -C -S "$work/source/target/$target/release/rebalancer" | awk '
    tolower($3) ~ /[tw]/ && NF >= 4 {
        name = $0; sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", name); gsub(/^[<&*]+(dyn |mut )?/, "", name)
        crate = name ~ /^[a-z_0-9]+::/ ? substr(name, 1, index(name, "::") - 1) : "C"
        size = 0; for (i = 1; i <= length($2); i++) size = size * 16 + index("0123456789abcdef", substr($2, i, 1)) - 1
        sum[crate] += size
    }
    END { for (crate in sum) if (sum[crate] >= 500) printf "%-62s %9d\n", crate, sum[crate] }' | sort -k2 -rn
