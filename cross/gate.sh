#!/bin/sh
# Fails, with a sentence, when a binary that cross/build.sh made is not what a Pi needs:
#
#     cross/gate.sh [--record] [TARGET...]       (without a target: all four)
#
# --record writes size, compiler and date of each file that passes into cross/sizes.txt.
set -eu

cd "$(dirname "$0")/.."
sizes=cross/sizes.txt
record=no
if [ "${1:-}" = --record ]; then
    record=yes
    shift
fi
[ $# -gt 0 ] || set -- arm-unknown-linux-musleabihf armv7-unknown-linux-musleabihf aarch64-unknown-linux-musl x86_64-unknown-linux-musl

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
fail() { echo "cross/gate.sh: FAILED: $*" >&2; exit 1; }
pass() { echo "cross/gate.sh: $*"; }
. cross/packages.sh
need readelf binutils

# Sets `machine`, and `cpu`: the command that runs a file on the oldest processor that the target is for.
describe() {
    case $1 in
        arm-unknown-linux-musleabihf) machine=ARM cpu='qemu-arm -cpu arm1176' ;;
        armv7-unknown-linux-musleabihf) machine=ARM cpu='qemu-arm -cpu cortex-a7' ;;
        aarch64-unknown-linux-musl) machine=AArch64 cpu='qemu-aarch64 -cpu cortex-a53' ;;
        x86_64-unknown-linux-musl) machine=X86-64 cpu='qemu-x86_64 -cpu qemu64' ;;
        *) fail "unknown target $1" ;;
    esac
    need "${cpu%% *}" qemu-user
}

# A program's exit code, without `set -e` ending the script or the shell reporting the signal.
code() {
    set +e
    ("$@") >"$work/out" 2>"$work/err"
    result=$?
    set -e
}

gate() { # TARGET
    target=$1
    file=$PWD/target/$target/release/rebalancer
    [ -f "$file" ] || fail "$target: there is no $file; run cross/build.sh $target"
    describe "$target"

    # What it is.
    readelf -hW "$file" | grep -q "Machine:.*$machine" || fail "$target: the file is not for $machine"
    readelf -lW "$file" >"$work/segments"
    ! grep -q INTERP "$work/segments" || fail "$target: the file asks for a program loader, so it is not static"
    readelf -dW "$file" >"$work/dynamic" 2>/dev/null
    ! grep -q NEEDED "$work/dynamic" || fail "$target: the file needs shared libraries: $(grep NEEDED "$work/dynamic")"
    ! grep -qE 'GNU_STACK.*E' "$work/segments" || fail "$target: the stack is executable"
    case $target in
        arm-*)
            readelf -A "$file" >"$work/tags"
            grep -q 'Tag_CPU_arch: v6$' "$work/tags" || fail "$target: $(grep CPU_arch: "$work/tags" || echo 'no architecture tag'); a Pi Zero runs v6 only"
            grep -q 'Tag_FP_arch: VFPv2$' "$work/tags" || fail "$target: $(grep FP_arch "$work/tags" || echo 'no floating-point tag'); a Pi Zero has VFPv2"
            ! grep -q 'Tag_Advanced_SIMD_arch' "$work/tags" || fail "$target: $(grep SIMD "$work/tags"); a Pi Zero has no Advanced SIMD"
            ;;
    esac

    # What is in it. The strings are the compiler's own, so they disappear with the checks.
    grep -aq 'panicked at' "$file" || fail "$target: panic messages are not compiled in"
    grep -aq 'attempt to multiply with overflow' "$file" || fail "$target: overflow checks are not compiled in"
    ! grep -aqE 'aws_lc_[0-9]|AWS-LC' "$file" || fail "$target: there is code of aws-lc in the file"
    wanted=$(sed -n '/^name = "aws-lc-sys"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock | tr . _)
    [ -z "$wanted" ] || grep -q "^\[target\.$target\.aws_lc_$wanted\]" .cargo/config.toml ||
        fail "$target: Cargo.lock has aws-lc-sys $wanted; change the tables aws_lc_... of .cargo/config.toml to it"

    # How large it is.
    size=$(wc -c <"$file" | tr -d ' ')
    limit=$(awk -v target="$target" '$1 == target { print $2 }' "$sizes")
    case $limit in '' | *[!0-9]*) fail "$target: $sizes has no limit for it" ;; esac
    [ "$size" -le "$limit" ] || fail "$target: the file has $size bytes; $((size - limit)) over the limit of $limit in $sizes"

    # Whether it runs there: a paper account that starts out of balance is brought into balance, and then left alone.
    home=$work/$target
    mkdir "$home"
    echo '{"BTC": 50, "ETH": 50}' >"$home/config.json"
    code $cpu "$file" --version
    [ "$result" -eq 0 ] || fail "$target: --version ended with $result on '$cpu': $(tail -3 "$work/err")"
    grep -q '^rebalancer [0-9]' "$work/out" || fail "$target: --version printed '$(head -1 "$work/out")' on '$cpu'"
    code $cpu "$file" once --paper --config "$home/config.json"
    [ "$result" -eq 0 ] || fail "$target: once --paper ended with $result on '$cpu': $(tail -3 "$work/err")"
    [ -s "$home/paper.journal" ] || fail "$target: once --paper wrote no journal on '$cpu', so it placed no order"
    code $cpu "$file" plan --paper --json --config "$home/config.json"
    [ "$result" -eq 0 ] || fail "$target: plan --paper ended with $result on '$cpu': $(tail -3 "$work/err")"
    grep -q '"balanced": *true' "$work/out" || fail "$target: after once --paper the account is not balanced on '$cpu': $(cat "$work/out")"
    # After January 2038, where a clock of 32 bits would end the process.
    need faketime faketime
    mkdir "$home/2040"
    cp "$home/config.json" "$home/2040/"
    code env TZ=UTC faketime '2040-02-03 04:05:06' $cpu "$file" once --paper --config "$home/2040/config.json"
    [ "$result" -eq 0 ] || fail "$target: in 2040 once --paper ended with $result on '$cpu' (the musl of the cross route has no later time: build with REBALANCER_ROUTE=zig): $(tail -3 "$work/err")"
    grep -q '^2040-02-03 04:05:' "$work/err" || fail "$target: in 2040 the log of once --paper does not say so on '$cpu': $(head -1 "$work/err")"
    pass "$target: $size of $limit bytes, static, rebalances on '$cpu', in 2040 as well"

    if [ "$record" = yes ]; then
        compiler=$(readelf -p .comment "$file" | sed -n 's/.*\(rustc\) version \([0-9.]*\).*/\1-\2/p' | head -1)
        awk -v target="$target" -v size="$size" -v compiler="${compiler:--}" -v date="$(date -u +%F)" \
            '$1 == target { print $1, $2, size, compiler, date; next } { print }' "$sizes" >"$work/sizes"
        cp "$work/sizes" "$sizes"
    fi
}

for target; do gate "$target"; done

# The control: on the Pi Zero's processor the ARMv7 file must die. If it lives, the emulator accepts anything and the runs
# above prove nothing.
newer=$PWD/target/armv7-unknown-linux-musleabihf/release/rebalancer
for target; do
    case $target in arm*)
        [ -f "$newer" ] || fail "the control run needs the ARMv7 file as well; run cross/build.sh armv7-unknown-linux-musleabihf"
        describe arm-unknown-linux-musleabihf
        code $cpu "$newer" --version
        [ "$result" -eq 132 ] || fail "the ARMv7 file ended with $result on '$cpu' and not with an illegal instruction (132): this emulator does not tell the processors apart"
        pass "control: the ARMv7 file dies of an illegal instruction on '$cpu'"
        break
        ;;
    esac
done
