#!/bin/sh
# Builds the static binaries:  cross/build.sh [--example NAME] [TARGET...]        (without a target: all four)
#
# Leaves target/TARGET/release/rebalancer, or target/TARGET/release/examples/NAME. Where Docker or Podman runs it uses cross;
# elsewhere zig as the C compiler and linker, with Debian's rustc and its library source. Both take the profile of Cargo.toml and the
# flags of cross/release.toml.
#
#   REBALANCER_ROUTE=cross|zig   do not choose
#   REBALANCER_TOOLS=DIR         where tools that are missing are put, default ~/.cache/rebalancer-tools
#   REBALANCER_FEATURES=LIST     these features instead of the default ones; the file is then called rebalancer-LIST
#   CARGO_TARGET_DIR=DIR         compile there (to keep a cache); the binary is still copied to target/
set -eu

ZIG=0.15.2          # carries musl 1.2.5 with its own allocator; 0.17 replaces parts of musl with code of zig's own
ZIGBUILD=0.24.0
CROSS=0.2.5

cd "$(dirname "$0")/.."
tools=${REBALANCER_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/rebalancer-tools}
compile_in=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR="$compile_in"
export RUSTC_BOOTSTRAP=1
# A RUSTFLAGS of the caller would replace those of the config files.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

say() { echo "cross/build.sh: $*" >&2; }
fail() { say "$*"; exit 1; }
. cross/packages.sh

has_library_source() {
    [ -x "$1" ] && [ -f "$("$1" --print sysroot)/lib/rustlib/src/rust/library/std/src/lib.rs" ]
}

prepare_zig() {
    # The two Debian packages are of one version, so compiler and library source always match.
    if has_library_source /usr/bin/rustc; then
        RUSTC=/usr/bin/rustc
    else
        RUSTC=$(rustup which rustc 2>/dev/null || command -v rustc || true)
        if ! has_library_source "${RUSTC:-none}"; then
            apt rustc-web rust-web-src
            RUSTC=/usr/bin/rustc
            has_library_source "$RUSTC" || fail "$RUSTC came without the source of the standard library (package rust-web-src)"
        fi
    fi
    export RUSTC
    # zig's musl has 64-bit time on 32-bit processors; without this Rust asks it for the old kind, which ends in January 2038.
    export RUST_LIBC_UNSTABLE_MUSL_V1_2_3=1
    have cargo || apt cargo-web
    venv=$tools/zig-$ZIG-$ZIGBUILD
    if [ ! -e "$venv/complete" ]; then
        say "installing zig $ZIG and cargo-zigbuild $ZIGBUILD into $venv"
        rm -rf "$venv"
        mkdir -p "$tools"
        python3 -m venv "$venv" >/dev/null 2>&1 || { apt python3-venv; python3 -m venv --clear "$venv"; } ||
            fail "python3 cannot make a virtual environment in $venv"
        "$venv/bin/pip" install -q "ziglang==$ZIG" "cargo-zigbuild==$ZIGBUILD" >&2 || fail "pip could not install zig"
        : >"$venv/complete"
    fi
    PATH=$venv/bin:$PATH
}

prepare_cross() {
    have rustup || fail "cross needs rustup, which is not installed"
    if ! have cross; then
        say "installing cross $CROSS into $tools"
        (unset CARGO_TARGET_DIR; cargo install -q --locked --root "$tools" cross --version "$CROSS") || fail "cargo could not install cross $CROSS"
        PATH=$tools/bin:$PATH
    fi
    rustup component list --installed | grep -q '^rust-src' || rustup component add rust-src || fail "rustup could not add rust-src"
}

case ${REBALANCER_ROUTE:-} in
    cross | zig) route=$REBALANCER_ROUTE ;;
    '') if { docker info || podman info; } >/dev/null 2>&1 && have rustup; then route=cross; else route=zig; fi ;;
    *) fail "REBALANCER_ROUTE is '$REBALANCER_ROUTE'; it may be cross or zig" ;;
esac
"prepare_$route"
if [ "$route" = cross ]; then
    say "route: cross $CROSS in its container, $(rustc --version); the clock of its 32-bit files ends in January 2038"
else
    say "route: zig $ZIG, $("$RUSTC" --version)"
fi

example= made=rebalancer
if [ "${1:-}" = --example ]; then
    [ $# -ge 2 ] || fail "--example needs a name"
    example=$2 made=examples/$2
    shift 2
fi
features=${REBALANCER_FEATURES:-}
[ $# -gt 0 ] || set -- arm-unknown-linux-musleabihf armv7-unknown-linux-musleabihf aarch64-unknown-linux-musl x86_64-unknown-linux-musl
for target; do
    case $target in
        arm-unknown-linux-musleabihf | armv7-unknown-linux-musleabihf | aarch64-unknown-linux-musl | x86_64-unknown-linux-musl) ;;
        *) fail "unknown target $target" ;;
    esac
    if [ "$route" = cross ]; then
        CROSS_CONFIG=cross/Cross.toml cross build --locked --release ${example:+--example "$example"} --target "$target" --config cross/release.toml \
            ${features:+--no-default-features --features "$features"}
    else
        # zig brings the C start files and libc, so rustc must not look for its own.
        # The registry's place in the builder's home directory is no business of the file.
        cargo zigbuild --locked --release ${example:+--example "$example"} --target "$target" --config cross/release.toml --config \
            "target.$target.rustflags=['-Clink-self-contained=no', '--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/crates']" \
            ${features:+--no-default-features --features "$features"}
    fi || fail "$target: the build failed"
    built=$compile_in/$target/release/$made
    file=target/$target/release/$made${features:+-$features}
    if ! [ "$built" -ef "$file" ]; then
        mkdir -p "$(dirname "$file")"
        cp "$built" "$file"
    fi
    # A file of other features must not be taken for the usual one.
    [ -z "$features" ] || rm "$built"
    say "$file: $(wc -c <"$file") bytes"
done
