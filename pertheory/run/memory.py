"""How much memory a run needs, and how much there is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING

from pertheory.averages.methods.pairs_of_pairs import KEPT
from pertheory.errors import InputError

if TYPE_CHECKING:
    from pertheory.kernels.language import Program

#: Bytes of a number, and so few that it takes longer to ask whether they are there.
DOUBLE, LITTLE = 8, 2**25
#: What the grids of the averages take at most, whatever the number of inputs: over one, two, three, four of them.
GRIDS = (0, 5_000_000, 10_000_000, 40_000_000, 150_000_000)
#: Arrays of the size of the largest tensor that a recursion holds besides what it reads and writes.
TEMPORARIES = 3
#: Arrays over pairs of inputs while their averages are summed together, and numbers for each input.
PAIR_ARRAYS, SERIES = 8, 2000
#: Bytes for each pair of inputs that averages over sets of three and four keep, and use instead of grids.
PAIR_TABLES = 900_000


def memory_needed(program: Program, inputs: int, rows: int | None = None, kept: int = 1, tables: bool = True) -> int:
    """Bytes that a run holds at most, estimated from the numbers of axes of its arrays.

    Args:
        program: what runs.
        inputs: different inputs.
        rows: inputs with repetitions, to which the results are spread out.
        kept: layers that are kept; 1 where they are handed on one by one.
        tables: whether averages over three and four inputs are endless series, whose tables of pairs are large.
    """
    rows = inputs if rows is None else rows
    peak = 0
    states = [state_size(program, inputs)]
    states += [sum(inputs**kernel.rank for kernel in level.kernels) for level in program.levels]
    for level, below, above in zip(program.levels, states, states[1:], strict=False):
        widest = max((kernel.rank for kernel in level.kernels), default=0)
        averages = sum(inputs**average.rank for average in level.averages)
        after = above + TEMPORARIES * inputs**widest
        peak = max(peak, below + averages + max(after, _work([a.rank for a in level.averages], inputs)))
    result = state_size(program, rows)
    spread = result if rows > inputs else 0
    return int(DOUBLE * (peak + spread + (kept - 1) * result) + _grids(program, inputs, tables))


def state_size(program: Program, inputs: int) -> int:
    """The numbers in the tensors of a layer as full arrays."""
    return sum(inputs**item.rank for item in program.initial)


def averages_needed(program: Program, inputs: int, tables: bool = True) -> int:
    """Bytes that the averages of a layer take at most, computed and as full arrays; see `memory_needed`."""
    ranks = [[average.rank for average in level.averages] for level in program.levels]
    most = max(sum(inputs**r for r in own) + _work(own, inputs) for own in ranks)
    return int(DOUBLE * most + _grids(program, inputs, tables))


def _grids(program: Program, inputs: int, tables: bool) -> int:
    """Bytes of what averages are summed on: grids, or the tables of pairs of inputs."""
    largest = min(max((average.rank for level in program.levels for average in level.averages), default=0), inputs, 4)
    return max(GRIDS[largest], min(PAIR_TABLES * comb(inputs, 2), KEPT) if tables and largest > 2 else 0)


def _work(ranks: Sequence[int], inputs: int) -> int:
    """Numbers that the averages hold besides their results: pairs of inputs, and all sets of three and four."""
    several = max(ranks, default=0)
    pairs = PAIR_ARRAYS * inputs**2 + SERIES * inputs if several > 1 else 0
    size = min(several, inputs, 4)
    return pairs + (comb(inputs, size) * (size + 4 * size**2) if size > 1 else 0)


def available_memory() -> int | None:
    """Bytes that this process may still take: of the machine, its group, its own limit; None where nothing is known."""
    known = [value for value in (_machine(), _group(), _own_limit()) if value is not None]
    return min(known) if known else None


def _machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _group() -> int | None:
    """What the control group leaves, version 2 or 1."""
    root = Path("/sys/fs/cgroup")
    folders = [root]
    with contextlib.suppress(OSError, IndexError):
        own = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()[-1].split(":")[2].strip("/")
        folders += [root / own, *(root / own).parents]
    left = []
    for folder in {folder for folder in folders if folder.is_relative_to(root)}:
        with contextlib.suppress(OSError, ValueError):
            limit = int((folder / "memory.max").read_text(encoding="ascii"))
            left.append(limit - int((folder / "memory.current").read_text(encoding="ascii")))
    with contextlib.suppress(OSError, ValueError):
        limit = int((root / "memory/memory.limit_in_bytes").read_text(encoding="ascii"))
        left.append(limit - int((root / "memory/memory.usage_in_bytes").read_text(encoding="ascii")))
    return max(min(left), 0) if left else None


def _own_limit() -> int | None:
    """What ``ulimit -v`` leaves."""
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
            return max(limit - used, 0)
    return None


def show_bytes(number: float) -> str:
    """A number of bytes for people, such as ``1.5 GB``.

    Example:
        >>> show_bytes(1.5e9)
        '1.5 GB'
    """
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit in ("bytes", "kB", "MB") else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.0f} PB"


def check_memory(needed: int, what: str) -> None:
    """See that there is as much memory as a run needs.

    Raises:
        InputError: names both and what would help.
    """
    free = available_memory() if needed > LITTLE else None
    if free is not None and needed > free:
        raise InputError(
            f"{what} about {show_bytes(needed)} of memory, but only {show_bytes(free)} are available; use fewer "
            "inputs, fewer tensors, or a lower order"
        )
