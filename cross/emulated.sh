#!/bin/sh
# Makes a program of a static ARM file and the emulated processor it is for, and prints its name:
#
#     REBALANCER_PROGRAM=$(cross/emulated.sh arm1176 FILE) cargo test --test live
#
# The processor is one of `qemu-arm -cpu help`. A daemon cannot start its cycles there unless binfmt_misc knows ARM files.
set -eu
[ $# -eq 2 ] || { echo "cross/emulated.sh: give a processor and a file" >&2; exit 2; }
command -v qemu-arm >/dev/null || { echo "cross/emulated.sh: qemu-arm is needed (package qemu-user)" >&2; exit 1; }
file=$(realpath "$2")
program=$file-$1
printf '#!/bin/sh\nexec qemu-arm -cpu %s "%s" "$@"\n' "$1" "$file" >"$program"
chmod +x "$program"
echo "$program"
