"""``pertheory run``: all tensors, layer by layer, on given inputs."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any

from pertheory.cli.inputs import read_inputs
from pertheory.cli.options import (
    add_network,
    add_order,
    add_output,
    add_parameters,
    add_work,
    check_out,
    check_work,
    closure_progress,
    collect_output,
    limit,
    number,
    numbers,
    place,
    tensor_list,
    whole,
    working,
)
from pertheory.cli.results import JsonResults, NpzResults, Results, TextResults, head
from pertheory.cli.work import COMBINED, LOWERED, CheckedProgress, check_program
from pertheory.errors import DivergentAverageError, InputError
from pertheory.progress import show_time
from pertheory.rulebook.tensors import Tensor, find_tensor
from pertheory.targets import TARGETS

if TYPE_CHECKING:
    from pertheory.rulebook.network import Network
    from pertheory.run.states import Layers, LayerState
    from pertheory.theory import Theory

SUMMARY = "Compute the tensors of a network at every layer, for given inputs."
EXAMPLE = "pertheory run --activation tanh --inputs inputs.csv --depth 4 --format json"

#: components of the largest tensor at one layer; more would take hours and tens of gigabytes
MOST_COMPONENTS = 10**8
#: bytes and seconds from which a run says what it will take even if nobody seems to look on
MUCH_MEMORY, MUCH_TIME = 10**9, 60.0
#: sets of inputs from which a trial tells how long their averages take
MANY_SETS = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--activation", required=True, help="name of an activation, a formula, or a rule file")
    parser.add_argument("--inputs", type=place, required=True, help=".csv, .json or .npy file, one row per input")
    parser.add_argument("--depth", type=whole("--depth", 1), required=True, help="number of weight layers")
    add_network(parser)
    parser.add_argument(
        "--tensors",
        nargs="+",
        default=["all"],
        metavar="TENSOR",
        help="names or observables; or all, which shows what they need as well (default all)",
    )
    add_order(parser, 1, "power of 1/n that is kept")
    add_hyperparameters(parser)
    parser.add_argument("--backend", choices=tuple(TARGETS), default="numpy", help="what computes (default numpy)")
    parser.add_argument(
        "--explain-averages", action="store_true", help="say at the end which method averaged what (on standard error)"
    )
    add_work(parser)
    add_output(parser, ("text", "json", "npz"))


def add_hyperparameters(parser: argparse.ArgumentParser) -> None:
    """What a run on given inputs may be told besides: hyperparameters, widths, accuracy."""
    for name, meaning in (
        ("C_b", "variance of the biases"),
        ("C_W", "variance of the weights times the width below"),
        ("lambda_b", "learning rate of the biases"),
        ("lambda_W", "learning rate of the weights times the width below"),
    ):
        parser.add_argument(
            f"--{name}", type=numbers, help=f"{meaning}: a number, or one for each layer (default: the rule's)"
        )
    parser.add_argument("--widths", type=numbers, help="hidden widths n_1,..,n_(depth-1); equal widths by default")
    add_parameters(parser)
    parser.add_argument("--rtol", type=number, default=1e-9, help="relative accuracy of the averages (default 1e-9)")


def main(options: argparse.Namespace) -> int:
    """Derive, compile, compute, print."""
    if options.format == "npz" and options.out is None:
        raise InputError("--format npz needs --out FILE.npz")
    check_out(options.out)
    table = read_inputs(options.inputs)
    from pertheory.functions.activation import activation
    from pertheory.rulebook.network import network
    from pertheory.run.arguments import check_accuracy, check_hyperparameters, check_inputs, check_widths
    from pertheory.run.model import PLAIN
    from pertheory.theory import theory

    rule = network(options.network, options.closure)
    names = tensor_list(options.tensors)
    check_work(names, options.order, False, options)
    hyper, own = split_parameters(options, dict(rule.hyperparameters))
    widths = whole_widths(options)
    try:  # here and below: a wrong value is an error before any work
        check_inputs(table)
    except InputError as error:
        raise InputError(f"--inputs {options.inputs}: {str(error).removeprefix('inputs: ')}") from None
    try:
        check_accuracy(options.rtol)
    except InputError as error:
        raise InputError(f"--{error}") from None
    check_hyperparameters(rule, options.depth, hyper)
    check_widths(widths, options.depth, len(table[0]), rule)
    try:
        function = activation(options.activation, **own)
    except InputError as error:
        known = ", ".join(name for name, _ in rule.hyperparameters)
        hint = f"; the network {rule.name} has {known}" if own else ""
        raise InputError(f"{error}{hint}") from None
    with working(options) as how:
        closed = theory(rule, names, options.order, limit=limit(options), progress=closure_progress, **how)
    if len(table) > 1:
        check_program(closed, LOWERED if function.is_smooth or len(table) <= PLAIN else COMBINED, options)
    model = closed.compile(options.backend, "one" if len(table) == 1 else "many")
    shown = _shown(closed, names)
    _check_size(_shown(closed, ["all"]), len(table))
    if options.explain_averages and options.backend == "c":
        raise InputError(
            "--explain-averages needs --backend numpy; a folder of `emit --target c` says it in its README"
        )
    counted = {"counted": True} if options.explain_averages else {}
    layers = model.layers(
        table,
        function,
        options.depth,
        widths=widths,
        rtol=options.rtol,
        parameters=own,
        progress=CheckedProgress(options),
        **counted,
        **hyper,
    )
    _announce(layers, len(table), options.yes)
    divergent = _Divergent(shown, set(_shown(closed, [name for name in names if name not in ("all", "every")])))
    if options.format == "text":
        shown = _shown(closed, names, leading=True)
    with collect_output(options.out) as handle, closing(_results(options, handle, shown, table, rule)) as results:
        for state in layers:
            divergent.look(state)
            results.layer(state)
        results.end(layers.error)
        divergent.report(layers.divergences)
    if options.explain_averages:
        print(layers.explanation(), file=sys.stderr)
    return 0


def _results(
    options: argparse.Namespace, handle: IO[bytes], shown: dict[str, Any], table: list[list[float]], rule: Network
) -> Results:
    """What writes the layers in the form that was asked for."""
    from pertheory.typeset.write import APPROXIMATION

    if options.format == "npz":
        return NpzResults(handle, shown, rule.closure)
    if options.format == "json":
        return JsonResults(handle, shown, head(rule.name, options.activation, table, options.order, rule.closure))
    return TextResults(handle, shown, "" if rule.closure == "exact" else APPROXIMATION)


def whole_widths(options: argparse.Namespace) -> list[int] | None:
    """``--widths`` as whole numbers."""
    for value in options.widths or ():
        if value != int(value) or value < 1:
            raise InputError(f"--widths: {value:g} is not a whole number from 1")
    return None if options.widths is None else [int(value) for value in options.widths]


def split_parameters(options: argparse.Namespace, known: dict[str, float]) -> tuple[dict[str, Any], dict[str, float]]:
    """Hyperparameters of the network, and parameters of the activation."""
    hyper: dict[str, Any] = {}
    for name in ("C_b", "C_W", "lambda_b", "lambda_W"):
        value = getattr(options, name)
        if value is not None:
            if len(value) not in (1, options.depth):
                raise InputError(f"--{name} needs one value or {options.depth}, one for each layer, not {len(value)}")
            if min(value) < 0:
                raise InputError(f"--{name} must not be negative, but is {min(value):g}")
            hyper[name] = value
    own: dict[str, float] = {}
    for name, value in options.param:
        if name in hyper or name in own:
            raise InputError(f"--param {name}={value:g}: {name} is given twice")
        (hyper if name in known else own)[name] = value
    return hyper, own


def _shown(closed: Theory, names: Sequence[str], leading: bool = False) -> dict[str, Tensor]:
    """The tensors that were asked for, by key, in the order of the request; with "all" also what they need.

    Args:
        closed: the theory.
        names: as they were given.
        leading: whether K and Theta are called so, for people, and not G and H.
    """
    table: dict[str, Tensor] = {}
    asked: list[tuple[Tensor, Sequence[int], str]]
    for name in names:
        if name in ("all", "every"):
            asked = [(tensor, range(highest + 1), "") for tensor, highest in closed.wanted]
            asked += [(tensor, orders, "") for tensor, orders in closed.tensors]
        else:
            tensor, fixed = find_tensor(name)
            highest = dict(closed.wanted)[tensor]
            own = tensor.leading if leading and name.startswith(tensor.leading) else ""
            asked = [(tensor, range(highest + 1) if fixed is None else (fixed,), own)]
        for tensor, orders, own in asked:
            for k in orders:
                table.setdefault(own or tensor.name + (f"{{{k}}}" if k else ""), tensor)
    return table


def _check_size(shown: dict[str, Any], inputs: int) -> None:
    """Refuse what no memory holds: a tensor has one component for each choice of inputs in its slots."""
    key = max(shown, key=lambda name: shown[name].kind.size)
    slots = shown[key].kind.size
    if inputs**slots > MOST_COMPONENTS:
        raise InputError(
            f"--inputs has {inputs} rows: {key} has {slots} slots, so {inputs}^{slots} components at a layer; at most "
            f"{int(MOST_COMPONENTS ** (1 / slots) + 1e-9)} rows, or fewer --tensors, or a lower --order"
        )


def _announce(layers: Layers, inputs: int, agreed: bool) -> None:
    """Say before it starts what a run will take, where a person looks on or it is much and has been agreed to."""
    from pertheory.run.memory import available_memory, show_bytes

    sets, size = layers.largest_sets()
    seconds = layers.seconds_per_layer() if sets >= MANY_SETS and layers.depth > 1 else 0.0
    much = layers.needed >= MUCH_MEMORY or (agreed and seconds * (layers.depth - 1) >= MUCH_TIME)
    if not much and not sys.stderr.isatty():
        return
    free = available_memory()
    text = f"{inputs} input{'s' if inputs > 1 else ''}: about {show_bytes(layers.needed)} of memory"
    if free is not None:
        text += f" ({show_bytes(free)} available)"
    if seconds:
        text += (
            f", averages over {sets} set{'s' if sets > 1 else ''} of {size} inputs, "
            f"at most about {show_time(seconds)} a layer"
        )
    print(text, file=sys.stderr, flush=True)


class _Divergent:
    """Tensors with components that diverge."""

    def __init__(self, shown: dict[str, Any], explicit: set[str]) -> None:
        self._bad = dict.fromkeys(shown, False)
        self._explicit = explicit

    def look(self, state: LayerState) -> None:
        """Note what diverges at a layer."""
        import numpy as np

        for key, bad in self._bad.items():
            self._bad[key] = bad or bool(np.isnan(state[key]).any())

    def report(self, reasons: Sequence[str]) -> None:
        """One warning that names what diverges; an error if it was asked for by name."""
        bad = [key for key, is_bad in self._bad.items() if is_bad]
        if not bad:
            return
        reason = "; ".join(reasons) or "an average is infinite"
        named = [key for key in bad if key in self._explicit]
        if named:
            raise DivergentAverageError(f"{', '.join(named)} {'diverges' if len(named) == 1 else 'diverge'}: {reason}")
        verb = "diverges" if len(bad) == 1 else "diverge"
        warnings.warn(f"{', '.join(bad)} {verb} in some components, which are left out: {reason}", stacklevel=3)
