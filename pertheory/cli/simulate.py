"""``pertheory simulate``: sampled networks beside the theory."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pertheory.cli.inputs import read_inputs
from pertheory.cli.options import (
    add_network,
    add_order,
    add_output,
    add_work,
    check_out,
    check_plot,
    check_work,
    numbers,
    place,
    tensor_list,
    whole,
    working,
    write_text,
)
from pertheory.cli.run import add_hyperparameters, split_parameters
from pertheory.cli.work import CheckedDrawing
from pertheory.errors import InputError

if TYPE_CHECKING:
    from pertheory.simulate.extrapolate import Fit
    from pertheory.simulate.simulation import Simulation

SUMMARY = "Draw random networks and compare every tensor with the theory at finite width."
EXAMPLE = "pertheory simulate --activation tanh --inputs inputs.csv --depth 3 --widths 32 --tensors G V --plot V.svg"

#: The width of all layers where none is given.
WIDTH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--activation", required=True, help="name of an activation, a formula, or a rule file")
    parser.add_argument("--inputs", type=place, required=True, help=".csv, .json or .npy file, one row per input")
    parser.add_argument("--depth", type=whole("--depth", 2), required=True, help="number of weight layers, from 2")
    add_network(parser)
    parser.add_argument(
        "--tensors", nargs="+", default=["all"], metavar="TENSOR", help="names or observables; or all (default all)"
    )
    add_order(parser, 1, "power of 1/n that the theory keeps")
    add_hyperparameters(parser)
    parser.add_argument(
        "--samples", type=whole("--samples", 0), default=20_000, help="networks; 0 takes those of --store (20000)"
    )
    parser.add_argument("--seed", type=whole("--seed", 0), default=1, help="of all draws (default 1)")
    parser.add_argument(
        "--extrapolate",
        type=numbers,
        metavar="N,N,..",
        help="draw networks of each of these widths, and fit every component by a polynomial in 1/n",
    )
    parser.add_argument("--store", type=place, metavar="DIR", help="keep batches here, and go on from those there")
    parser.add_argument("--batch", type=whole("--batch", 1), help="networks of a batch (default 6400)")
    parser.add_argument("--plot", type=place, metavar="FILE.svg", help="draw tensors against the layer, or against 1/n")
    add_work(parser)
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Draw, compare, print."""
    check_out(options.out)
    _check(options)
    table = read_inputs(options.inputs)
    from pertheory.rulebook.network import network

    rule = network(options.network, options.closure)
    names = tensor_list(options.tensors)
    check_work(names, options.order, False, options)
    hyper, own = split_parameters(options, dict(rule.hyperparameters))
    from pertheory.simulate.extrapolate import extrapolate
    from pertheory.simulate.simulation import simulate

    if options.plot is not None:
        from pertheory.plots import sampled  # before any work: matplotlib may be missing

    with working(options) as how:
        simulations = [
            simulate(
                rule,
                table,
                options.activation,
                options.depth,
                widths,
                tensors=names,
                order=options.order,
                samples=options.samples,
                seed=options.seed,
                parameters=own,
                batch=options.batch,
                folder=options.store,
                executor=how["executor"],
                derived_by=how,
                progress=CheckedDrawing(options),
                rtol=options.rtol,
                **hyper,
            )
            for widths in _widths(options)
        ]
    fits = extrapolate(simulations) if len(simulations) > 1 else []
    if options.plot is not None:
        write_text(sampled(simulations, fits).to_svg(), options.plot)
    write_text(_json(simulations, fits) if options.format == "json" else _text(simulations, fits), options.out)
    return 0


def _check(options: argparse.Namespace) -> None:
    """What can be seen to be wrong before any work."""
    if options.samples == 0 and options.store is None:
        raise InputError("--samples 0 takes the networks that were kept; name their folder with --store DIR")
    check_plot(options)
    if options.extrapolate is not None and options.widths is not None:
        raise InputError("--extrapolate gives the widths itself; leave out --widths")
    if options.extrapolate is not None and len(set(options.extrapolate)) < 2:
        raise InputError("--extrapolate needs two different widths or more, such as 16,24,32,64")


def _widths(options: argparse.Namespace) -> list[int | list[int]]:
    """The widths of each simulation."""
    flag = "--widths" if options.extrapolate is None else "--extrapolate"
    given = options.widths if options.extrapolate is None else options.extrapolate
    for value in given or ():
        if value != int(value) or value < 1:
            raise InputError(f"{flag}: {value:g} is not a whole number from 1")
    if options.extrapolate is not None:
        return [int(value) for value in sorted(set(given))]
    found = [int(value) for value in given or [WIDTH]]
    return [found[0] if len(found) == 1 else found]


def _json(simulations: Sequence[Simulation], fits: Sequence[Fit]) -> str:
    """The last simulation, as the interface promises it, and the fits."""
    record = simulations[-1].record()
    if fits:
        widths = [own.setting.widths[1] for own in simulations]
        record["extrapolation"] = {"widths": widths, "fits": [fit.record() for fit in fits]}
    return json.dumps(record, allow_nan=False)


def _text(simulations: Sequence[Simulation], fits: Sequence[Fit]) -> str:
    tables = [own.to_text() for own in simulations]
    if fits:
        wide = max(6, *(len(fit.tensor) for fit in fits)) + 2
        tables.append(
            "\n".join(
                [
                    f"layer  {'tensor':<{wide}}{'slots':<13}{'fitted T{0}':>14}{'stderr':>10}{'theory':>14}{'pull':>7}"
                    f"{'degree':>8}{'chi2':>8}{'of':>4}",
                    *(fit.to_text(wide) for fit in fits),
                ]
            )
        )
    return "\n\n".join(tables)
