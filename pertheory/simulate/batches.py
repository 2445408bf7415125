"""Runs: batches of blocks of networks, here, on an executor, on all devices of JAX; kept on disk as they finish.

Every network has a key of its own, made of the seed and its number, and every block of 64 networks is computed by the
same program, whatever batch it is in and whatever device it is on: the numbers do not depend on either. A batch on disk
is named by a digest of all that it depends on. A process that is killed loses the batch that it was at, and no more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError
from pertheory.files import replacing
from pertheory.progress import Report, progress
from pertheory.simulate.estimate import BLOCK, BlockProgram, Estimators
from pertheory.simulate.jaxed import jax
from pertheory.simulate.setting import digest

Array = npt.NDArray[np.float64]

SCHEMA = "pertheory.batch/1"
#: Networks of a batch, unless something else is asked for.
BATCH = 6400
#: Bytes that no batch has.
MOST = 1 << 32
#: Keys are those of this generator, whatever the user has made JAX's default.
GENERATOR = "threefry2x32"


class Span(NamedTuple):
    """Blocks of one batch."""

    first: int
    length: int


@lru_cache(maxsize=8)
def _program(estimators: Estimators) -> BlockProgram:
    return BlockProgram(estimators)


def draw(estimators: Estimators, span: Span) -> Array:
    """The estimates of the blocks of one batch, a row each; what a worker does."""
    with jax.enable_x64(True), jax.default_prng_impl(GENERATOR):
        return _program(estimators).run(*span)


class Kept:
    """The batches of one run on disk.

    Args:
        folder: where those of all runs lie, a folder each.
        estimators: the run.
    """

    def __init__(self, folder: str | Path, estimators: Estimators) -> None:
        self.components = len(estimators.components)
        self.key = {
            "schema": SCHEMA,
            "setting": estimators.setting.key(),
            "tensors": [[repr(tensor.kind), tensor.slots] for tensor in estimators.tensors],
            "layers": estimators.layers,
            "seed": estimators.seed,
            "block": BLOCK,
        }
        self.name = digest(self.key)
        self.folder = Path(folder) / self.name[:32]

    def path(self, span: Span) -> Path:
        """The file of a batch."""
        return self.folder / f"{span.first}-{span.length}.batch"

    def write(self, span: Span, found: Array) -> None:
        """Keep a batch, whole or not at all.

        Raises:
            InputError: the folder cannot be written to.
        """
        data = found.astype("<f8").tobytes()
        head = json.dumps({**self.head(span), "sha256": hashlib.sha256(data).hexdigest()})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.path(span)) as temporary:
                temporary.write_bytes(head.encode() + b"\n" + data)
        except OSError as error:
            raise InputError(f"store {self.folder}: cannot be written ({error.strerror or error})") from None

    def head(self, span: Span) -> dict[str, Any]:
        """What the first line of a batch says, but for the checksum."""
        return {"schema": SCHEMA, "run": self.name, "first": span.first, "count": span.length}

    def read(self, span: Span) -> Array | None:
        """A batch that is there.

        Raises:
            InputError: it is damaged.
        """
        path = self.path(span)
        try:
            if path.stat().st_size > MOST:
                raise ValueError("it is too large")
            line, _, data = path.read_bytes().partition(b"\n")
            head = json.loads(line)
            if head != {**self.head(span), "sha256": hashlib.sha256(data).hexdigest()}:
                raise ValueError("its first line or its checksum is wrong")
            return np.frombuffer(data, "<f8").reshape(span.length, self.components)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(f"batch {path}: cannot be read ({error.strerror or error})") from None
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"batch {path}: is damaged ({str(error)[:80]}); delete it, and it is drawn again"
            ) from None

    def spans(self) -> list[Span]:
        """All batches that there are, in order.

        Raises:
            InputError: there is none.
        """
        found = []
        for path in self.folder.glob("*-*.batch"):
            first, _, count = path.stem.partition("-")
            if first.isdecimal() and count.isdecimal():
                found.append(Span(int(first), int(count)))
        if not found:
            raise InputError(f"store {self.folder.parent}: holds no batch of this run; draw some networks first")
        return sorted(found)


def spans(blocks: int, batch: int) -> Iterator[Span]:
    """So many blocks as batches."""
    for first in range(0, blocks, batch):
        yield Span(first, min(batch, blocks - first))


def run(
    estimators: Estimators,
    networks: int,
    *,
    batch: int = BATCH,
    folder: str | Path | None = None,
    executor: Executor | None = None,
    show: bool | None = None,
    drawn: Report | None = None,
) -> Array:
    """The estimates of all blocks, a row each.

    Args:
        estimators: what is estimated, checked.
        networks: how many, in whole blocks; 0 for those that the folder has.
        batch: networks of a unit of work.
        folder: where batches are kept and looked for; None keeps nothing.
        executor: draws batches; here, on all devices of JAX, if None.
        show: of `pertheory.progress.progress`.
        drawn: is called after every new batch with the blocks that are there, and with all.

    Raises:
        InputError: numbers leave the range of doubles; a damaged batch; nothing is there; a worker was killed.
    """
    kept = None if folder is None else Kept(folder, estimators)
    found: dict[Span, Array] = {}
    if not networks:
        assert kept is not None
        wanted = _disjoint(kept.spans())
    else:
        wanted = list(spans(-(-networks // BLOCK), max(1, batch // BLOCK)))
    total, done = sum(span.length for span in wanted), 0
    with progress("drawing networks", show, thread=executor is None) as report:

        def accept(span: Span, own: Array, new: bool) -> None:
            if not np.isfinite(own).all():
                raise InputError("preactivations leave the range of doubles; use smaller inputs, C_b or C_W")
            if new and kept is not None:
                kept.write(span, own)
            found[span] = own
            nonlocal done
            done += span.length
            report(done, total)
            if new and drawn is not None:
                drawn(done, total)

        missing = []
        for span in wanted:
            own = None if kept is None else kept.read(span)
            if own is None:
                missing.append(span)
            else:
                accept(span, own, False)
        for span, own in _drawn(estimators, missing, executor):
            accept(span, own, True)
    return np.concatenate([found[span] for span in wanted])


def _drawn(estimators: Estimators, missing: list[Span], executor: Executor | None) -> Iterator[tuple[Span, Array]]:
    """Batches as they finish."""
    if executor is None:
        for span in missing:
            yield span, draw(estimators, span)
        return
    if not hasattr(executor, "submit"):
        raise InputError(f"an executor is a concurrent.futures.Executor, not {type(executor).__name__}")
    running = {}
    try:
        running = {executor.submit(draw, estimators, span): span for span in missing}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    except BrokenExecutor:
        raise InputError(
            "a process that draws networks was killed, perhaps for want of memory; batches that were kept are not lost"
        ) from None
    finally:
        for future in running:
            future.cancel()


def _disjoint(found: list[Span]) -> list[Span]:
    """Batches without those that overlap with ones before: they may have been drawn in several sizes."""
    chosen: list[Span] = []
    for span in sorted(found, key=lambda own: (own.first, -own.length)):
        if not chosen or span.first >= chosen[-1].first + chosen[-1].length:
            chosen.append(span)
    return chosen
