"""Units of work: one T{k} each, derived here or on an executor, read from and kept in a store."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from pertheory.derive.codec import decode, derive_encoded, encode
from pertheory.derive.diagram import Diagram
from pertheory.derive.layer import diagrams
from pertheory.errors import InputError
from pertheory.graphs.tensor import TensorType
from pertheory.progress import progress
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import Network
from pertheory.rulebook.tensors import Tensor, tensor_of
from pertheory.store import Store
from pertheory.text import plural, shortened

log = logging.getLogger("pertheory.worker")

Diagrams = tuple[Diagram, ...]

KILLED = "a process that derives was killed, perhaps for want of memory; use fewer --jobs"
#: Signals that end us; the processes of a pool leave them to the one that made it.
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass(frozen=True, order=True)
class Node:
    """One T{k} at one sublayer."""

    sublayer: int
    kind: TensorType
    order: int

    def __repr__(self) -> str:
        return f"Node({shortened(self.key, 120)} at sublayer {self.sublayer})"

    @property
    def tensor(self) -> Tensor:
        """The tensor with its name."""
        return tensor_of(self.kind)

    @property
    def key(self) -> str:
        """Its name in states and output, as "V" or "H{1}"."""
        return self.tensor.name + (f"{{{self.order}}}" if self.order else "")


class Worker:
    """Derives nodes of one rule.

    Args:
        rule: the network.
        executor: any `concurrent.futures.Executor`; None derives here.
        store: where diagrams are read and kept; None keeps nothing on disk.

    Raises:
        InputError: one of these is something else.
    """

    def __init__(self, rule: Network, executor: Executor | None = None, store: Store | None = None) -> None:
        if executor is not None and not hasattr(executor, "submit"):
            raise InputError(f"an executor is a concurrent.futures.Executor, not {shown(executor)}")
        if store is not None and not isinstance(store, Store):
            raise InputError(f"a store is a pertheory.store.Store, such as Store(folder), not {shown(store)}")
        self.rule = rule
        self.executor = executor
        self.store = store
        self.running: dict[Future[str], Node] = {}

    def start(self, node: Node) -> Diagrams | None:
        """The diagrams of a node if they are at hand; otherwise they come with `finished`."""
        place = (self.rule, node.sublayer, node.kind, node.order)
        kept = self.store.read(*place) if self.store is not None else None
        if kept is not None:
            log.debug("%s of %s: read from the cache", node.key, self.rule.name)
            return kept
        if self.executor is not None:
            try:
                self.running[self.executor.submit(derive_encoded, *place)] = node
            except BrokenExecutor:
                raise InputError(KILLED) from None
            return None
        begun = time.monotonic()
        found = diagrams(*place)
        self._tell(node, found, f"{time.monotonic() - begun:.2f} s")
        if self.store is not None:
            self.store.write(*place, encode(found))
        return found

    def finished(self) -> list[tuple[Node, Diagrams]]:
        """Wait for at least one running node; what is done is kept at once."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        results = []
        for future in done:
            node = self.running.pop(future)
            try:
                text = future.result()
            except BrokenExecutor:
                raise InputError(KILLED) from None
            if self.store is not None:
                self.store.write(self.rule, node.sublayer, node.kind, node.order, text)
            own = decode(text)
            self._tell(node, own, "by another process")
            results.append((node, own))
        return results

    def gather(self, nodes: Iterable[Node]) -> dict[Node, Diagrams]:
        """All of some nodes, in the order given."""
        wanted = list(nodes)
        found: dict[Node, Diagrams] = {}
        what = f"deriving {shortened(wanted[0].tensor.name)}" if wanted else "deriving"
        with progress(what, thread=self.executor is None) as report:
            for node in wanted:
                at_hand = self.start(node)
                if at_hand is not None:
                    found[node] = at_hand
                    report(len(found), len(wanted))
            while self.running:
                found.update(self.finished())
                report(len(found), len(wanted))
        return {node: found[node] for node in wanted}

    def _tell(self, node: Node, found: Diagrams, how: str) -> None:
        log.info("%s of %s: derived, %s, %s", node.key, self.rule.name, plural(len(found), "diagram"), how)

    def cancel(self) -> None:
        """Give up what has not started."""
        for future in self.running:
            future.cancel()


@contextmanager
def processes(number: int) -> Iterator[Executor]:
    """An executor on processes that end when this one does, however it ends, and at once if the body raises."""
    before = set(multiprocessing.active_children())
    fresh = "spawn" if "jax" in sys.modules else None  # a fork of a process in which JAX has threads may wait for ever
    executor = ProcessPoolExecutor(number, multiprocessing.get_context(fresh), _serve)
    try:
        if hasattr(signal, "pthread_sigmask"):  # they start where no signal can meet them half-made
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            try:
                executor.submit(int)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        yield executor
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.kill()
        raise
    finally:  # the thread that looks after them has to end before the interpreter does
        executor.shutdown(cancel_futures=True)


def _serve() -> None:
    """What a process of a pool does first: end when its parent does, and say nothing when a terminal interrupts all."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in ENDING[1:]:
        signal.signal(number, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
