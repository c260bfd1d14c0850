"""`python -m bench [NAME ...]` or `make bench`: the benchmarks one after another, each in a process of its own.

Everything they print, one JSON object a line, goes to standard output as it comes. Ends with 1 when a benchmark
failed; a figure that is off its mark is no failure here, the reader judges. Options after `--` go to the benchmark,
where one alone is named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
NAMES = ("recording", "live", "playback")


def run_benchmark(name: str, options: list[str]) -> bool:
    begun_s = time.monotonic()
    done = subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), *options], cwd=FOLDER.parent)
    took_s = time.monotonic() - begun_s
    outcome = "done" if done.returncode == 0 else f"FAILED with {done.returncode}"
    print(f"bench: {name} {outcome} after {took_s:.0f} s", file=sys.stderr, flush=True)
    return done.returncode == 0


def main() -> int:
    arguments = sys.argv[1:]
    at = arguments.index("--") if "--" in arguments else len(arguments)
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    names = parser.parse_args(arguments[:at]).names or list(NAMES)
    options = arguments[at + 1 :]
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"there is no benchmark named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if options and len(names) != 1:
        parser.error("options are for one benchmark: name it")
    failed = [name for name in names if not run_benchmark(name, options)]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
