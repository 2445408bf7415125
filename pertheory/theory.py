"""The way through the house, with a door at each floor.

rule = network("mlp")                   rules/networks/mlp.toml     -> Network       rulebook/
V = derive(rule, "V", order=1)          six moves, one file each    -> Recursion     derive/, recursion.py
closed = theory(rule, "all", order=1)   every tensor that appears   -> Theory        closure.py
program = closed.program()              typed, no symbols           -> Program       kernels/
files = closed.texts("c")               a folder for each target    -> source text   emit/, targets.py
model = closed.compile("numpy")         averages and arrays         -> numbers       averages/, run/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pertheory.closure import LIMIT, Closure, close
from pertheory.errors import InputError
from pertheory.files import write_text
from pertheory.kernels.language import INPUTS
from pertheory.progress import progress as shown_progress
from pertheory.recursion import derive
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import AnyRule, network
from pertheory.rulebook.tensors import AnyTensor
from pertheory.rulebook.values import one_of
from pertheory.store import Store
from pertheory.targets import find_target

if TYPE_CHECKING:
    from pertheory.functions.activation import Activation
    from pertheory.kernels.language import Program
    from pertheory.run.model import Model

__all__ = ["Theory", "derive", "network", "theory"]


@dataclass(frozen=True, repr=False)
class Theory(Closure):
    """A closed set of recursions and what can be done with it; make one with `theory`."""

    def program(self, inputs: str = "many", kinked: bool = False) -> Program:
        """The kernels that compute all tensors of a layer from those below.

        Args:
            inputs: "many": one axis per slot over the inputs. "one": all slots carry the same input.
            kinked: for functions with kinks: what stands at one input is combined before it is averaged.
        """
        from pertheory.kernels.lower import lower

        return lower(self, inputs, kinked=kinked)

    def compile(self, target: str = "numpy", inputs: str = "many") -> Model:
        """A callable that computes all tensors layer by layer; see `pertheory.run.model.Model`.

        Raises:
            InputError: an unknown target, other ``inputs``; no C compiler.
        """
        model: Model = find_target(target).runner()(self, one_of(INPUTS, inputs, "inputs"))
        return model

    def texts(
        self, target: str, inputs: str = "many", activation: str | Path | Activation | Mapping[str, Any] = "tanh"
    ) -> dict[str, str]:
        """Source code that computes the theory: what is in each file, by name.

        In NumPy the averages are a callable that the user hands in; C has those of the activation built in.

        Raises:
            InputError: an unknown target or activation, other ``inputs``.
        """
        from pertheory.functions.chosen import choose_functions

        written = find_target(target).writer()
        one_of(INPUTS, inputs, "inputs")
        functions = choose_functions(self.network, activation, {})
        with shown_progress(f"writing the theory of {self.network.name} for {target}"):
            return dict(written(self, inputs, functions))

    def emit(
        self,
        target: str,
        folder: str | Path,
        inputs: str = "many",
        activation: str | Path | Activation | Mapping[str, Any] = "tanh",
    ) -> list[Path]:
        """Write source code that computes the theory into a folder; see `texts`.

        Returns:
            The files that were written.

        Raises:
            InputError: as `texts`; the folder cannot be written to.
        """
        if not isinstance(folder, str | Path):
            raise InputError(f"a folder is a text or a Path, not {shown(folder)}")
        return write_folder(Path(folder), self.texts(target, inputs, activation))


def theory(
    rule: AnyRule = "mlp",
    tensors: AnyTensor | Iterable[AnyTensor] = "all",
    order: int = 1,
    *,
    pairs: Any = None,
    executor: Executor | None = None,
    store: Store | None = None,
    limit: int | None = LIMIT,
    progress: Callable[[int, int], None] | bool | None = None,
) -> Theory:
    """Close a set of tensors under their recursions.

    Args:
        rule: a network rule, its name or its path.
        tensors: names, or observables with their pairs as `derive` takes them; "all" means every tensor with a name
            that exists at the order, "every" means every type that does (all forests with up to order + 1 pairs).
        order: the power of 1/n that is kept: a tensor with p pairs is taken up to T{order - (p - 1)}, and a tensor
            named here at least to T{0}.
        pairs: the labels that share a neuron, for an `Observable` that has none with it.
        executor: derives in parallel, on any `concurrent.futures.Executor`; the result does not depend on it.
        store: reads and keeps derived diagrams on disk.
        limit: how many T{k} may be found before it stops and asks; None for any number.
        progress: True shows how far it is (on standard error), False never; by default it is shown where a person
            works with this Python and it takes more than two seconds. Or a function, called with the numbers of T{k}
            that are done and that have been found.

    Raises:
        InputError: unknown tensors or a negative order.
        ClosureTooLargeError: there are more T{k} than ``limit``.
    """
    own = close(rule, tensors, order, pairs, (executor, store), limit, progress)
    return Theory(own.network, own.order, own.wanted, own.diagrams)


def write_folder(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Files of a folder, by name; it is made if it does not exist.

    Raises:
        InputError: it is a file, or cannot be written to.
    """
    paths = {name: inside(folder, name) for name in texts}
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [write_text(paths[name], text) for name, text in texts.items()]
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from None


def inside(folder: Path, name: str) -> Path:
    """A file in the folder itself: names are made of the network's, and nothing is written anywhere else."""
    if name in ("", ".", "..") or Path(name).name != name:
        raise InputError(f"{shown(name)} is not the name of a file in {folder}")
    return folder / name
