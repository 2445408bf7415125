"""A compiled theory: inputs and an activation in, all tensors at all layers out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import comb
from math import log as logarithm
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from pertheory import html
from pertheory.averages.explain import Counted, explained
from pertheory.averages.gaussian import GaussianAverages
from pertheory.closure import Closure
from pertheory.functions.activation import Activation
from pertheory.functions.chosen import choose_functions
from pertheory.kernels.language import Program
from pertheory.kernels.lower import lower
from pertheory.progress import check_progress
from pertheory.progress import progress as shown_progress
from pertheory.rulebook.values import whole
from pertheory.run.arguments import (
    check_accuracy,
    check_hyperparameters,
    check_inputs,
    check_kernel,
    check_layer_progress,
    check_range,
    check_widths,
)
from pertheory.run.evaluate import Evaluator
from pertheory.run.memory import check_memory, memory_needed
from pertheory.run.states import Array, Layers, Progress, Run
from pertheory.run.undefined import definite
from pertheory.text import plural

log = logging.getLogger("pertheory.run")

#: Seconds of a trial that tell how long a layer takes: fixed costs and a busy machine no longer count for much.
LONG_ENOUGH = 2.0
#: The least power of the number of sets with which the time of a layer is taken to grow.
LEAST_GROWTH = 0.6

#: Up to so many different inputs a kinked program stays a plain sum: its arrays are so small that taking out common
#: factors costs more than it saves in a dozen layers.
PLAIN = 2


@dataclass(frozen=True)
class Model:
    """A theory as a callable; make one with ``theory.compile``.

    Attributes:
        theory: what it computes.
        inputs: "many", or "one" (only components in which all slots carry the same input).
    """

    theory: Closure
    inputs: str = "many"

    #: The name of what computes, for people.
    target: ClassVar[str] = "numpy"

    def __repr__(self) -> str:
        return f"Model({self.target}, {self.inputs} input{'s' * (self.inputs != 'one')}; {self.theory.facts()})"

    def _repr_html_(self) -> str:
        rule = self.theory.network
        hyper = "".join(f", {symbol}={value:g}" for symbol, value in rule.hyperparameters)
        free = [name for name in rule.functions if name not in dict(rule.activations)]
        given = "activation" if len(free) == 1 else "{" + ", ".join(f"{name!r}: activation" for name in free) + "}"
        alike = "every slot carries the same input" if self.inputs == "one" else "one axis a slot, over the inputs"
        rows = [
            ("computed by", self.target),
            ("theory", self.theory.facts()),
            ("arrays", alike),
            ("call", f"model(inputs, {given}, depth{hyper}, widths=None, rtol=1e-09)"),
            ("answer", "run[layer][tensor], layers from 1; run.to_pandas(), run.to_xarray()"),
        ]
        return html.page(f"Model of {rule.name}", html.facts(rows))

    @cached_property
    def program(self) -> Program:
        """The kernels where all functions are smooth."""
        return lower(self.theory, self.inputs)

    @cached_property
    def _smooth(self) -> Evaluator:
        return Evaluator(self.program)

    @cached_property
    def _kinked(self) -> dict[int, Evaluator]:
        return {}

    def kinked(self, inputs: int) -> Evaluator:
        """The kernels for that many different inputs where a function has kinks."""
        most = 1 if self.inputs == "one" else min(inputs, max(node.tensor.kind.size for node in self.theory.nodes))
        if most not in self._kinked:
            factored = self.inputs == "one" or most > PLAIN
            program = lower(self.theory, self.inputs, kinked=True, factored=factored, most=most)
            self._kinked[most] = Evaluator(program)
        return self._kinked[most]

    def layers(
        self,
        inputs: npt.ArrayLike,
        activation: str | Path | Activation | Mapping[str, Any],
        depth: int,
        *,
        widths: Sequence[int] | None = None,
        rtol: float = 1e-9,
        parameters: Mapping[str, float] | None = None,
        progress: Progress | None = None,
        kept: int = 1,
        counted: bool = False,
        **hyperparameters: float | Sequence[float],
    ) -> Layers:
        """Prepare a run that hands on one layer after the other; nothing is computed yet.

        Args:
            inputs: one row per input, shape (D, n_0).
            activation: a name, a formula, or an `Activation`; for a rule with several functions a mapping from
                function to activation.
            depth: number of weight layers, from 1.
            widths: n_1 .. n_(depth-1); equal widths by default.
            rtol: accuracy of the Gaussian averages, relative to the scale of each.
            parameters: parameters of the activation, such as ``{"slope": 0.1}``.
            progress: called with the layer that is being computed, the depth, and how much of the layer's averages
                is done.
            kept: how many layers the caller will hold, for the estimate of memory.
            counted: count at how many numbers functions are evaluated, for `Layers.explanation`.
            hyperparameters: such as ``C_b``, ``C_W``, ``lambda_b``, ``lambda_W``: a number, or one for each layer.

        Returns:
            An iterator over `LayerState`; in mode "one" arrays have one axis, over the inputs.

        Raises:
            InputError: ragged, empty or non-finite inputs, unknown or negative hyperparameters, wrong widths or depth,
                more memory than there is. While the layers are computed: numbers that leave the range of doubles.
        """
        rtol, progress = check_accuracy(rtol), check_layer_progress(progress)
        run = prepare(self.theory, inputs, activation, depth, widths, parameters, hyperparameters)
        return self._layers(run, rtol, progress, kept, counted)

    def _layers(self, run: Prepared, rtol: float, progress: Progress | None, kept: int, counted: bool) -> Layers:
        """The layers of a run whose arguments have been checked."""
        with shown_progress(f"compiling the theory of {self.theory.network.name}"):
            evaluator = self._smooth if run.smooth else self.kinked(len(run.table))
        needed = memory_needed(evaluator.program, len(run.table), run.given, kept, run.series)
        run.check_memory(needed)
        functions = {name: Counted.of(own) if counted else own for name, own in run.functions.items()}
        averages = partial(GaussianAverages, functions, rtol, distinct=not run.smooth and self.inputs == "many")
        return NumpyLayers(evaluator, run, averages, needed, progress)

    def __call__(
        self,
        inputs: npt.ArrayLike,
        activation: str | Path | Activation | Mapping[str, Any],
        depth: int,
        **options: Any,
    ) -> Run:
        """Compute all tensors at layers 1 .. depth and keep them all.

        Args:
            inputs: as in `layers`, and so are the others.
            activation: of each function.
            depth: number of weight layers.
            options: of `layers`; ``progress`` may also be True or False, to show how far it is or never to. By default
                it is shown where a person works with this Python and it takes more than two seconds.
        """
        called = options.pop("progress", None)
        show = False if callable(called) else check_progress(called)
        kept = whole(depth, "depth", 1)
        with shown_progress(f"computing {plural(kept, 'layer')}", show) as report:

            def tell(layer: int, depth: int, done: float) -> None:
                report(max(layer - 2 + done, 0.0), depth - 1)  # the first layer takes no time

            progress = called if callable(called) else tell
            layers = self.layers(inputs, activation, depth, kept=kept, progress=progress, **options)
            states = tuple(layers)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("which method averaged what:\n%s", layers.explanation())
        log.info("computed %d layers on %s, averages accurate to %.1e of their scale", kept, self.target, layers.error)
        if layers.divergences:
            warnings.warn(
                f"some components are NaN, because averages have no finite value: {'; '.join(layers.divergences)}",
                stacklevel=2,
            )
        return Run(states, layers.divergences, layers.error)


class Prepared(NamedTuple):
    """What was asked for, checked.

    Attributes:
        table: the different inputs, one row each.
        place: for each input that was given the number of its row; None where all are different.
        layers: the hyperparameters of each layer.
        widths: n_0 .. n_(depth-1), or None for equal ones.
        functions: the activation of each function of the network.
    """

    table: Array
    place: npt.NDArray[np.int64] | None
    layers: list[dict[str, float]]
    widths: list[float] | None
    functions: dict[str, Activation]

    @property
    def given(self) -> int:
        """How many inputs there are, with repetitions."""
        return len(self.table) if self.place is None else len(self.place)

    @property
    def smooth(self) -> bool:
        """Whether no function has a kink."""
        return all(function.is_smooth for function in self.functions.values())

    @property
    def series(self) -> bool:
        """Whether averages over sets of inputs are endless series: there are kinks in none, not only polynomials."""
        return self.smooth and any(function.coefficients is None for function in self.functions.values())

    def check_memory(self, needed: int) -> None:
        """See that a run has the bytes that it needs.

        Raises:
            InputError: there are not as many.
        """
        check_memory(needed, f"{self.given} {'inputs need' if self.given > 1 else 'input needs'}")

    def gram(self, one: bool) -> Array:
        """The Gram matrix over n_0 of the different inputs, or its diagonal for one input by itself."""
        if one:
            return np.asarray(np.einsum("ai,ai->a", self.table, self.table) / self.table.shape[1])
        return np.asarray(self.table @ self.table.T / self.table.shape[1])

    def spread(self, state: Mapping[str, Array]) -> Mapping[str, Array]:
        """The tensors over all inputs that were given, from those over different ones."""
        if self.place is None:
            return state
        return {key: array[np.ix_(*[self.place] * array.ndim)] for key, array in state.items()}


def prepare(
    theory: Closure,
    inputs: npt.ArrayLike,
    activation: Any,
    depth: int,
    widths: Sequence[int] | None,
    parameters: Mapping[str, float] | None,
    hyperparameters: Mapping[str, float | Sequence[float]],
) -> Prepared:
    """Check the arguments of a run; see `Model.layers`."""
    table = check_inputs(inputs)
    layers = check_hyperparameters(theory.network, depth, hyperparameters)
    all_widths = check_widths(widths, depth, table.shape[1], theory.network)
    functions = choose_functions(theory.network, activation, {} if parameters is None else parameters)
    numbers: dict[bytes, int] = {}  # different inputs in the order in which they come; -0 is 0
    place = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in table + 0.0])
    if len(numbers) == len(table):
        return Prepared(table, None, layers, all_widths, functions)
    return Prepared(table[np.unique(place, return_index=True)[1]], place, layers, all_widths, functions)


class NumpyLayers(Layers):
    """Layers by NumPy."""

    def __init__(
        self,
        evaluator: Evaluator,
        run: Prepared,
        averages: Callable[[], GaussianAverages],
        needed: int,
        progress: Progress | None,
    ) -> None:
        super().__init__(evaluator.program, len(run.table), len(run.layers), needed, run.spread, progress)
        self._evaluator, self._layers = evaluator, run.layers
        self._widths = [1.0] * self.depth if run.widths is None else run.widths
        self._gram = run.gram(evaluator.program.inputs == "one")
        self._new_averages = averages
        self._averages = averages()
        self._averages.progress = self._report
        self._calls = 0
        self._state: Mapping[str, Array] = {}

    @property
    def error(self) -> float:
        """The largest estimated error of a Gaussian average so far, relative to its scale."""
        return float(self._averages.worst_error)

    def _climb(self) -> Mapping[str, Array]:
        self._calls = 0
        with np.errstate(over="ignore", invalid="ignore"):  # check_range tells what overflowed and where
            if self._layer == 0:
                self._state = self._evaluator.first_layer(self._gram, self._parameters())
            else:
                self._state = self._step()
        check_range(self._layer + 1, self._state, bool(self.divergences))
        return self._state

    def _parameters(self) -> dict[str, float]:
        """Of the layer that comes next, with the widths below it."""
        own = dict(self._layers[self._layer])
        if self._layer:
            own |= {"n": self._widths[self._layer], "n_prev": self._widths[self._layer - 1]}
        # powers of Python's own numbers raise where they overflow, instead of becoming infinite
        return {name: np.float64(value) for name, value in own.items()}

    def _step(self) -> Mapping[str, Array]:
        """The next layer."""
        parameters = self._parameters()
        state, reasons = definite(
            lambda average: self._evaluator.step(self._state, parameters, average),
            self._average,
            self._averages.divergences,
        )
        self._divergences += reasons
        return state

    def _average(self, covariance: Array, requests: Sequence[Any]) -> list[Array]:
        self._calls += 1
        self._report(0.0)
        check_kernel(covariance)
        return (self._averages if covariance.ndim == 2 else self._averages.alone)(covariance, requests)

    def _report(self, done: float) -> None:
        if self._progress is not None:
            calls = sum(len(level.covariances) for level in self._program.levels)
            self._progress(self._layer + 1, self.depth, (self._calls - 1 + done) / calls)

    def explanation(self) -> str:
        """Which method averaged what so far: a table."""
        return explained(self._averages.account.used)

    def seconds_per_layer(self) -> float:
        """At most about how long the averages of one layer take, from trials with more and more of the inputs.

        Inputs are drawn from all, so that what is hard about some of them has its share. Methods for many sets share
        work among them: the time of a trial that is long enough to tell goes with the power of the number of sets with
        which it has grown since the trial before, if that is more than `LEAST_GROWTH`.
        """
        state = self._evaluator.first_layer(self._gram, self._layers[0])
        levels = self._program.levels
        wanted = [average.request for level in levels for average in level.averages]
        keys = [key for level in levels for _, key in level.covariances if key in state]
        if not wanted or not keys:
            return 0.0
        covariance = state[keys[0]]
        count, size = len(self._gram), self.largest_sets()[1]
        mixed = np.random.default_rng(0).permutation(count)
        number, growth = size, 1.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._trial(covariance, mixed[:number], wanted)  # fills caches
            taken = self._trial(covariance, mixed[:number], wanted)
            while taken <= LONG_ENOUGH and number < count:
                more = min(number + max(number // 2, 2), count)
                longer = self._trial(covariance, mixed[:more], wanted)
                sets = comb(more, size) / comb(number, size)
                growth = logarithm(longer / taken) / logarithm(sets)
                number, taken = more, longer
        return float(taken * (comb(count, size) / comb(number, size)) ** min(max(growth, LEAST_GROWTH), 1.0))

    def _trial(self, covariance: Array, chosen: Any, wanted: Sequence[Any]) -> float:
        """The seconds that the averages of some of the inputs take."""
        start = perf_counter()
        averages = self._new_averages()
        some = covariance[np.ix_(*[chosen] * covariance.ndim)]
        (averages if some.ndim == 2 else averages.alone)(some, wanted)
        return perf_counter() - start
