"""``python -m fuzz [NAME ...] --count N``: run campaigns; exit status 1 if there was a fault."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from fuzz.campaign import share

#: Files of this folder that are no campaigns.
MACHINERY = {"__init__", "__main__", "campaign", "command_files", "command_values", "guided"}
NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in MACHINERY)


def main() -> int:
    """Run the campaigns named, all by default, and print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"campaigns: {', '.join(NAMES)}")
    parser.add_argument("--count", type=int, default=100_000, help="examples of each (default 100000)")
    parser.add_argument("--seed", type=int, default=0, help="other seeds draw other examples (default 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(NAMES)}")
    faults = 0
    for name in options.names or NAMES:
        shares = max(options.jobs, min(options.count // 1000, 100 * options.jobs), 1)
        sizes = [options.count // shares + (i < options.count % shares) for i in range(shares)]
        seeds = [options.seed * 1_000_003 + i for i in range(shares)]
        outcomes: Counter[str] = Counter()
        slowest = 0.0
        with ProcessPoolExecutor(options.jobs, max_tasks_per_child=1) as pool:
            for own, longest in pool.map(share, [name] * shares, sizes, seeds):
                outcomes += own
                slowest = max(slowest, longest)
                print(f"{name}: {sum(outcomes.values())} of {options.count} so far", file=sys.stderr, flush=True)
        said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"{name}: {sum(outcomes.values())} examples: {said}; the slowest {slowest:.2f} s of processor time")
        faults += outcomes["fault"]
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
