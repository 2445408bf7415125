"""``pertheory run``: all tensors, layer by layer, on given inputs."""

from __future__ import annotations

import argparse
import json
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pertheory.cli.options import (
    add_network,
    add_order,
    add_output,
    add_work,
    check_out,
    closure_progress,
    layer_progress,
    limit,
    numbers,
    parameter,
    read_inputs,
    tensor_list,
    whole,
    working,
    write_text,
    write_whole,
)
from pertheory.errors import DivergentAverageError, InputError
from pertheory.rulebook.tensors import find_tensor

if TYPE_CHECKING:
    from pertheory.closure import Theory
    from pertheory.numeric.model import Run
    from pertheory.rulebook.network import Network

SUMMARY = "Compute the tensors of a network at every layer, for given inputs."
EXAMPLE = "pertheory run --activation tanh --inputs inputs.csv --depth 4 --format json"

#: components of the largest tensor at one layer; more would take hours and tens of gigabytes
MOST_COMPONENTS = 10**8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--activation", required=True, help="name of an activation, a formula, or a rule file")
    parser.add_argument("--inputs", type=Path, required=True, help=".csv, .json or .npy file, one row per input")
    parser.add_argument("--depth", type=whole("--depth", 1), required=True, help="number of weight layers")
    add_network(parser)
    parser.add_argument("--tensors", nargs="+", default=["all"], metavar="TENSOR", help="names or observables, or all")
    add_order(parser, 1, "power of 1/n that is kept")
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
    parser.add_argument(
        "--param",
        type=parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the activation or a further hyperparameter of the network",
    )
    parser.add_argument("--rtol", type=float, default=1e-9, help="relative accuracy of the averages (default 1e-9)")
    parser.add_argument("--backend", choices=("numpy", "c"), default="numpy", help="what computes (default numpy)")
    add_work(parser)
    add_output(parser, ("text", "json", "npz"))


def main(options: argparse.Namespace) -> int:
    """Derive, compile, compute, print."""
    if not 0 < options.rtol < 1:
        raise InputError(f"--rtol must be between 0 and 1, not {options.rtol:g}")
    if options.format == "npz" and options.out is None:
        raise InputError("--format npz needs --out FILE.npz")
    check_out(options.out)
    table = read_inputs(options.inputs)
    from pertheory.closure import theory
    from pertheory.numeric.model import check_hyperparameters, check_inputs, check_widths
    from pertheory.rulebook.activation import activation
    from pertheory.rulebook.network import network
    from pertheory.typeset.write import APPROXIMATION

    rule = network(options.network, options.closure)
    names = tensor_list(options.tensors)
    hyper, own = _split_parameters(options, dict(rule.hyperparameters))
    widths = None if options.widths is None else [_width(value) for value in options.widths]
    try:  # here and below: a wrong value is an error before any work
        check_inputs(table)
    except InputError as error:
        raise InputError(f"--inputs {options.inputs}: {str(error).removeprefix('inputs: ')}") from None
    check_hyperparameters(rule, options.depth, hyper)
    check_widths(widths, options.depth, len(table[0]))
    try:
        function = activation(options.activation, **own)
    except InputError as error:
        known = ", ".join(name for name, _ in rule.hyperparameters)
        hint = f"; the network {rule.name} has {known}" if own else ""
        raise InputError(f"{error}{hint}") from None
    with working(options) as how:
        closed = theory(rule, names, options.order, limit=limit(options), progress=closure_progress, **how)
    model = closed.compile(options.backend, "one" if len(table) == 1 else "many")
    shown = _shown(closed)
    _check_size(shown, len(table))
    result = model(
        table,
        function,
        options.depth,
        widths=widths,
        rtol=options.rtol,
        parameters=own,
        progress=layer_progress,
        **hyper,
    )
    _report_divergences(result, shown, _explicit(closed, names))
    if options.format == "npz":
        _write_npz(result, shown, len(table), options.out, rule.closure)
        return 0
    if options.format == "json":
        record = _record(result, shown, table, options, rule)
        write_text(json.dumps(record, allow_nan=False), options.out)
        return 0
    text = _text(result, shown, len(table))
    if rule.closure != "exact":
        text = f"# {APPROXIMATION}\n{text}"
    write_text(text, options.out)
    return 0


def _width(value: float) -> int:
    if value != int(value) or value < 1:
        raise InputError(f"--widths: {value:g} is not a whole number from 1")
    return int(value)


def _split_parameters(options: argparse.Namespace, known: dict[str, float]) -> tuple[dict[str, Any], dict[str, float]]:
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
    for name, number in options.param:
        if name in hyper or name in own:
            raise InputError(f"--param {name}={number:g}: {name} is given twice")
        if name in known:
            hyper[name] = number
        else:
            own[name] = number
    return hyper, own


def _shown(closed: Theory) -> dict[str, Any]:
    """The tensors that were asked for, by key, in the order of the request, then what they need."""
    table = {}
    for tensor, highest in closed.wanted:
        for k in range(highest + 1):
            table[tensor.name + (f"{{{k}}}" if k else "")] = tensor
    for tensor, orders in closed.tensors:
        for k in orders:
            table.setdefault(tensor.name + (f"{{{k}}}" if k else ""), tensor)
    return table


def _explicit(closed: Theory, names: list[str]) -> set[str]:
    """The keys of the tensors that were asked for by name, whatever the spelling."""
    asked = {find_tensor(name)[0].name for name in names if name not in ("all", "every")}
    return {
        tensor.name + (f"{{{k}}}" if k else "")
        for tensor, highest in closed.wanted
        if tensor.name in asked
        for k in range(highest + 1)
    }


def _check_size(shown: dict[str, Any], inputs: int) -> None:
    """Refuse what no memory holds: a tensor has one component for each choice of inputs in its slots."""
    key = max(shown, key=lambda name: shown[name].kind.size)
    slots = shown[key].kind.size
    if inputs**slots > MOST_COMPONENTS:
        raise InputError(
            f"--inputs has {inputs} rows: {key} has {slots} slots, so {inputs}^{slots} components at a layer; at most "
            f"{int(MOST_COMPONENTS ** (1 / slots) + 1e-9)} rows, or fewer --tensors, or a lower --order"
        )


def _full(array: Any, rank: int, inputs: int) -> Any:
    """An array with one axis per slot; a run on one input has kept a single axis."""
    return array.reshape((1,) * rank) if inputs == 1 else array


def _report_divergences(result: Run, shown: dict[str, Any], explicit: set[str]) -> None:
    """One warning that names what diverges; an error if it was asked for by name."""
    import numpy as np

    bad = [key for key in shown if any(np.isnan(state[key]).any() for state in result)]
    if not bad:
        return
    reason = "; ".join(result.divergences) or "an average is infinite"
    verb = "diverges" if len(bad) == 1 else "diverge"
    named = [key for key in bad if key in explicit]
    if named:
        raise DivergentAverageError(f"{', '.join(named)} {'diverges' if len(named) == 1 else 'diverge'}: {reason}")
    warnings.warn(f"{', '.join(bad)} {verb} in some components, which are left out: {reason}", stacklevel=2)


def _clean(value: Any) -> Any:
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return None if math.isnan(value) else value


def _record(
    result: Run, shown: dict[str, Any], table: list[list[float]], options: argparse.Namespace, rule: Network
) -> dict[str, Any]:
    layers = []
    for state in result:
        entry: dict[str, Any] = {"layer": state.layer}
        for key, tensor in shown.items():
            entry[key] = _clean(_full(state[key], tensor.kind.size, len(table)).tolist())
        layers.append(entry)
    return {
        "schema": "pertheory.run/1",
        "network": rule.name,
        "activation": options.activation,
        "inputs": table,
        "order": options.order,
        "closure": rule.closure,
        "error": result.error,
        "layers": layers,
    }


def _write_npz(result: Run, shown: dict[str, Any], inputs: int, out: Path, closure: str) -> None:
    import numpy as np

    arrays = {
        f"{key}/{state.layer}": _full(state[key], tensor.kind.size, inputs)
        for state in result
        for key, tensor in shown.items()
    }

    if closure != "exact":
        arrays["closure"] = np.array(closure)

    def save(path: Path) -> None:
        with path.open("wb") as handle:
            np.savez(handle, **arrays)

    write_whole(out, save)


def _text(result: Run, shown: dict[str, Any], inputs: int) -> str:
    """A table a layer: the diagonal of every tensor and, with several inputs, one component off the diagonal."""
    lines = []
    wide = max(12, *(len(key) + 1 for key in shown))
    for state in result:
        lines.append(f"layer {state.layer}")
        header = ["slots all 0"] if inputs == 1 else ["slots all 0", "slots 0 1 0 1 .."]
        lines.append("  " + f"{'tensor':<{wide}}" + "".join(f"{title:>22}" for title in header))
        for key, tensor in shown.items():
            array = _full(state[key], tensor.kind.size, inputs)
            size = tensor.kind.size
            picks = [(0,) * size] + ([] if inputs == 1 else [tuple(i % 2 for i in range(size))])
            values = "".join(f"{float(array[pick]):>22.12g}" for pick in picks)
            lines.append(f"  {key:<{wide}}{values}")
    lines.append("every component: --format json or npz")
    return "\n".join(lines)
