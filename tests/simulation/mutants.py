#!/usr/bin/env python3
"""Plants each bug of mutants.txt in a copy of the source, one at a time, and lets the simulation look for it.

    tests/simulation/mutants.py            all of them; some seconds to build each
    tests/simulation/mutants.py lost       those whose name holds a word
    tests/simulation/mutants.py --check    only whether each still has its place in the source

The copy and what is built of it lie in target/mutants. Ends with 1 when a bug is not found within WEEKS (20,000) simulated weeks.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPY = ROOT / "target" / "mutants" / "copy"


def mutants():
    """Name and replacements (file, old, new) of each bug."""
    text = (Path(__file__).parent / "mutants.txt").read_text()
    for part in re.split(r"^= ", text, flags=re.M)[1:]:
        name, _, body = part.partition("\n")
        edits = re.findall(r"^@ (.+?)\n- (.*?)\n\+ ?(.*?)(?=\n@ |\n*\Z)", body, flags=re.M | re.S)
        yield name, edits


def planted(name, edits):
    """What the changed files would hold."""
    files = {}
    for file, old, new in edits:
        text = files.get(file) or (ROOT / file).read_text()
        if text.count(old) != 1:
            sys.exit(f"mutants: {name}: {file} holds {text.count(old)} times:\n{old}")
        files[file] = text.replace(old, new)
    return files


def of_tomorrow(file):
    """Has a file built anew, also when the clock is set back meanwhile: else the bug before would be found twice."""
    tomorrow = time.time() + 86_400
    os.utime(file, (tomorrow, tomorrow))


def look_for(name, files, weeks):
    """Runs the simulation on the changed source; the first seed that failed and why, or nothing."""
    for file, text in files.items():
        (COPY / file).write_text(text)
        of_tomorrow(COPY / file)
    env = dict(os.environ, WEEKS=str(weeks), FIRST_SEED="1", FAILURES="1", RUST_BACKTRACE="0", CARGO_TARGET_DIR=str(COPY.parent / "target"))
    test = ["cargo", "test", "-q", "--profile", "simulation", "--test", "simulation", "--", "--nocapture", "whatever"]
    run = subprocess.run(test, cwd=COPY, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for file in files:
        shutil.copy(ROOT / file, COPY / file)
        of_tomorrow(COPY / file)
    if "error: could not compile" in run.stdout:
        sys.exit(f"mutants: {name}: does not compile\n{run.stdout}")
    return re.search(r"^seed (\d+): (.*)", run.stdout, flags=re.M), re.search(r"(\d+) lives, (\d+) weeks", run.stdout)


def main():
    words = [word for word in sys.argv[1:] if word != "--check"]
    chosen = [(name, planted(name, edits)) for name, edits in mutants() if all(word in name for word in words)]
    if "--check" in sys.argv:
        return print(f"mutants: {len(chosen)} have their place")
    weeks = int(os.environ.get("WEEKS", "20000"))
    for part in ("src", "tests", ".cargo"):
        shutil.copytree(ROOT / part, COPY / part, dirs_exist_ok=True)
    for file in ("Cargo.toml", "Cargo.lock"):
        shutil.copy(ROOT / file, COPY / file)
    missed = 0
    for name, files in chosen:
        found, lived = look_for(name, files, weeks)
        missed += found is None
        said = f"seed {found[1]}: {found[2][:110]}" if found else "NOT FOUND"
        print(f"{name:<62} {lived[1] if lived else '?':>5} lives {lived[2] if lived else '?':>6} weeks  {said}", flush=True)
    print(f"mutants: {len(chosen) - missed} of {len(chosen)} found")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
