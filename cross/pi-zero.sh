#!/bin/sh
# Shows the whole program on a whole Raspberry Pi Zero, emulated:  cross/pi-zero.sh
#
# Boots Debian's armel kernel on qemu's board, with our ARMv6 file, the tests' loopback exchange, also for ARMv6, and a card of two
# ext4 partitions: one for the program and one for the exchange, so that neither's syncing helps the other. There (cross/pi-zero/init)
# it runs check, plan, once and run, with a clock that starts in 1970 and is then set; kills qemu in the middle of a rebalance;
# boots again from the same card; and compares the exchange's books with the journal (cross/pi-zero/audit.py). Prints what was
# checked, and memory as seen by that kernel. Exit code 1 and a sentence when anything is not as it must be. Two to three minutes
# after the builds.
#
# The exchange is asked over plain HTTP inside the board, so the memory of a TLS handshake is not in these figures. The power cut is
# the board's, not the card's: what the kernel has given to the card stays, what it has not is gone.
#
#   REBALANCER_TOOLS=DIR   where kernel and busybox are kept, default ~/.cache/rebalancer-tools. They are unpacked there and not
#                          installed, by an apt configuration of their own, so this system learns of no foreign architecture
#   CARGO_TARGET_DIR=DIR   compile there, as for cross/build.sh; consoles and card of the last run are in its folder pi-zero
set -eu
# Of the two routes the one whose files this checks everywhere.
export REBALANCER_ROUTE=zig

cd "$(dirname "$0")/.."
started=$(date +%s)
target=arm-unknown-linux-musleabihf
compile_in=${CARGO_TARGET_DIR:-$PWD/target}
work=$compile_in/pi-zero
board=${REBALANCER_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/rebalancer-tools}/pi-zero-board
PATH=$PATH:/usr/sbin:/sbin
qemu=
trap '[ -z "$qemu" ] || cut' EXIT
trap 'exit 1' INT TERM

say() { echo "cross/pi-zero.sh: $*"; }
fail() { say "FAILED: $*" >&2; exit 1; }
. cross/packages.sh

# Debian's kernel for the board, and a busybox, unpacked into $board.
fetch() {
    [ ! -e "$board/complete" ] || return 0
    have apt-get || fail "apt-get is needed to fetch Debian's kernel for the board"
    say "fetching Debian's armel kernel into $board" >&2
    rm -rf "$board"
    mkdir -p "$board/apt/lists/partial" "$board/apt/cache/archives/partial"
    cat >"$board/apt/conf" <<EOF
Dir::State "$board/apt";
Dir::State::status "/dev/null";
Dir::Cache "$board/apt/cache";
APT::Architecture "armel";
#clear APT::Architectures;
APT::Architectures { "armel"; };
APT::Sandbox::User "";
EOF
    # From wherever this system has its packages; a source without armel is no matter.
    apt-get -c "$board/apt/conf" update -qq >&2 || true
    kernel=$(apt-cache -c "$board/apt/conf" depends linux-image-rpi | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')
    [ -n "$kernel" ] || fail "the package sources of this system have no linux-image-rpi for armel; Debian's have"
    (cd "$board" && apt-get -c apt/conf download -qq "$kernel" busybox-static) >&2 ||
        fail "apt-get could not download $kernel and busybox-static"
    for package in "$board"/*.deb; do
        dpkg-deb -x "$package" "$board" || fail "$package could not be unpacked"
    done
    rm -rf "$board/apt" "$board"/*.deb
    : >"$board/complete"
}

# Everything the board has in memory when it starts: packed into $work/initrd.
pack() {
    root=$work/root
    mkdir -p "$root/bin" "$root/lib" "$root/proc" "$root/dev"
    cp cross/pi-zero/init "$root/init"
    chmod +x "$root/init"
    made=$compile_in/$target/release
    cp "$board/bin/busybox" "$made/rebalancer" "$made/examples/loopback-exchange" "$root/bin/"
    # ext4 and what it needs, as far as they are not in the kernel itself; init loads them in the right order.
    find "$board/lib/modules" -name crc16.ko -o -name crc32c_generic.ko -o -name mbcache.ko -o -name jbd2.ko -o -name ext4.ko |
        while read -r module; do cp "$module" "$root/lib/"; done
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd" || fail "the board's files could not be packed"
}

# A card of two partitions, 15 MiB each; the board wants a power of two in all.
make_card() {
    truncate -s 32M "$work/card"
    printf 'start=1MiB, size=15MiB\nstart=16MiB, size=15MiB\n' | sfdisk -q "$work/card" || fail "the card could not be partitioned"
    for start in 1 16; do
        mkfs.ext4 -q -F -E "lazy_itable_init=0,offset=$((start * 1048576))" "$work/card" 15M >"$work/mkfs" 2>&1 ||
            fail "the card could not be formatted: $(cat "$work/mkfs")"
    done
}

# Puts the power on. The console goes to a file; `writethrough`: what the board has written is in the card when the power goes.
boot() { # NUMBER
    number=$1
    console=$work/console-$number
    began=$(date +%s)
    qemu-system-arm -M raspi0 -kernel "$board"/boot/vmlinuz-* -dtb "$board"/usr/lib/linux-image-*/bcm2835-rpi-zero.dtb \
        -initrd "$work/initrd" -drive "if=sd,format=raw,cache=writethrough,file=$work/card" \
        -append "console=ttyAMA0,115200 rdinit=/init panic=-1 quiet loglevel=2 boot=$number now=$began
            initcall_blacklist=bcm2835_power_driver_init,bcm2835_pm_driver_init" \
        -serial "file:$console" -monitor none -display none -no-reboot </dev/null >"$work/qemu-$number" 2>&1 &
    qemu=$!
}

# Waits for a line on the console: await PATTERN SECONDS
await() {
    tries=0
    until grep -aq "$1" "$console" 2>/dev/null; do
        if grep -aq '^FAILED: ' "$console" 2>/dev/null; then
            tail -n 20 "$console" >&2
            fail "boot $number: $(sed -n 's/^FAILED: //p' "$console" | tr -d '\r')"
        fi
        kill -0 "$qemu" 2>/dev/null || fail "boot $number: qemu ended: $(cat "$work/qemu-$number"); its console is $console"
        tries=$((tries + 1))
        [ "$tries" -le $(($2 * 10)) ] || fail "boot $number: nothing after $2 s; its console is $console"
        sleep 0.1
    done
}

# Takes the power away, at once.
cut() {
    kill -KILL "$qemu" 2>/dev/null || true
    wait "$qemu" 2>/dev/null || true
    qemu=
}

# Ends a boot, and shows what it said of its steps.
off() {
    cut
    tr -d '\r' <"$console" >"$console.txt"
    sed -n 's/^== /    /p' "$console.txt"
    say "boot $number: $(($(date +%s) - began)) s"
}

# What the board said of itself; of what it said several times the largest.
figures() {
    awk -F ': ' 'sub(/^figure /, "") {
            if (!($1 in value)) order[++count] = $1
            if (!($1 in value) || $2 + 0 > value[$1] + 0) value[$1] = $2
        }
        END { for (at = 1; at <= count; at++) printf "    %-22s %s\n", order[at], value[order[at]] }' "$work"/console-?.txt
}

need qemu-system-arm qemu-system-arm
need cpio cpio
need mkfs.ext4 e2fsprogs
need sfdisk fdisk
need python3 python3
fetch
cross/build.sh "$target"
cross/build.sh --example loopback-exchange "$target"
rm -rf "$work"
mkdir -p "$work"
pack
make_card

boot 1
await 'PULL THE PLUG' 180
off
boot 2
await '^DONE' 180
off
say "checked:"
python3 cross/pi-zero/audit.py "$work/console-1.txt" "$work/console-2.txt"
say "as seen by that kernel:"
figures
say "all of it took $(($(date +%s) - started)) s"
