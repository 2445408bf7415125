"""Campaigns guided by coverage, where atheris is installed: ``python -m fuzz.guided NAME [flags of libFuzzer]``.

libFuzzer makes bytes, the campaign draws its examples from them as if they were chance, and those that reach new code
are kept in ``fuzz/corpus/NAME``. A fault is kept as every other crasher is.
"""

from __future__ import annotations

import importlib
import random
import sys
from pathlib import Path

from fuzz.campaign import HERE, confined, keep


class Bytes(random.Random):
    """Chance that is read from bytes; zeros when they are used up."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._bits = int.from_bytes(data, "little")

    def getrandbits(self, k: int, /) -> int:
        """The next bits."""
        found = self._bits & ((1 << k) - 1)
        self._bits >>= k
        return found

    def random(self) -> float:
        """A number from 0 to 1."""
        return self.getrandbits(53) / (1 << 53)


def main() -> int:
    """Run until stopped, or as long as the flags say (``-max_total_time=3600``, ``-runs=1000000``)."""
    try:
        import atheris
    except ImportError:
        print("atheris is not installed (pip install atheris); python -m fuzz needs nothing", file=sys.stderr)
        return 2
    name, *flags = sys.argv[1:] or ["formulas"]
    corpus = HERE / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["pertheory"]):
        campaign = importlib.import_module(f"fuzz.{name}")

    def one(data: bytes) -> None:
        example = campaign.draw(Bytes(data))
        try:
            with confined():
                campaign.judge(example)
        except Exception as error:
            print("kept as", keep(name, example, repr(error)[:400]))
            raise

    atheris.Setup([sys.argv[0], *flags, str(Path(corpus))], one)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
