"""``pertheory infer``: Bayesian inference with networks of finite width."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from pertheory.cli.data import add_data, flagged, read_data
from pertheory.cli.options import (
    add_network,
    add_order,
    add_output,
    add_work,
    check_out,
    check_plot,
    check_work,
    closure_progress,
    limit,
    number,
    place,
    whole,
    working,
    write_text,
)
from pertheory.cli.run import add_hyperparameters, split_parameters, whole_widths
from pertheory.cli.work import LOWERED, CheckedProgress, check_program

if TYPE_CHECKING:
    from pertheory.infer.record import Posterior

SUMMARY = "Posterior of a network's outputs, given data: mean, covariance and evidence to the order 1/n."
EXAMPLE = (
    "pertheory infer --activation tanh --train X.csv --targets Y.csv --test T.csv --depth 3 --noise 0.1 --width 128"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--activation", required=True, help="name of an activation, a formula, or a rule file")
    add_data(parser)
    parser.add_argument("--depth", type=whole("--depth", 1), required=True, help="number of weight layers")
    parser.add_argument(
        "--noise", type=number, default=0.0, help="a variance that is added to the training block (default 0)"
    )
    parser.add_argument("--width", type=whole("--width", 1, 10**9), help="n of the last hidden layer: gives totals")
    parser.add_argument("--compare", type=_widths, default=(), metavar="N,N,..", help="log evidence at these widths")
    parser.add_argument("--plot", type=place, metavar="FILE.svg", help="draw the log evidence over the depth")
    parser.add_argument("--hidden", action="store_true", help="kernels of all layers as the data leave them")
    add_network(parser)
    add_order(parser, 1, "power of 1/n that is kept")
    add_hyperparameters(parser)
    add_work(parser)
    add_output(parser, ("text", "json"))


def _widths(text: str) -> list[int]:
    return [whole("--compare", 1, 10**9)(part) for part in text.split(",")]


def main(options: argparse.Namespace) -> int:
    """Derive, compute, condition, print."""
    check_out(options.out)
    check_plot(options)
    tables = read_data(options, "train", "targets", "test")
    from pertheory.infer.checks import check_noise
    from pertheory.infer.posterior import posterior
    from pertheory.infer.pure import tensors_of
    from pertheory.rulebook.network import network
    from pertheory.theory import theory

    rule = network(options.network, options.closure)
    hyper, own = split_parameters(options, dict(rule.hyperparameters))
    flagged(options, lambda: check_noise(options.noise))
    if options.plot is not None:
        from pertheory.plots import evidence  # before any work: matplotlib may be missing

    names = tensors_of(options.order)
    check_work(names, options.order, False, options)
    with working(options) as how:
        closed = theory(rule, names, options.order, limit=limit(options), progress=closure_progress, **how)
    check_program(closed, LOWERED, options)
    found = flagged(
        options,
        lambda: posterior(
            closed,
            **tables,
            noise=options.noise,
            activation=options.activation,
            depth=options.depth,
            width=options.width,
            widths=whole_widths(options),
            parameters=own,
            rtol=options.rtol,
            progress=CheckedProgress(options),
            **hyper,
        ),
    )
    if options.plot is not None:
        write_text(evidence(found, options.compare).to_svg(), options.plot)
    if options.format == "json":
        record = found.record(options.compare)
        if options.hidden:
            record["kernels"] = [_kernel(found, layer) for layer in range(1, options.depth + 1)]
        write_text(json.dumps(record, allow_nan=False), options.out)
    else:
        write_text("\n".join(_text(found, options)), options.out)
    return 0


def _kernel(found: Posterior, layer: int) -> dict[str, Any]:
    leading, first = found.kernel(layer)
    return {"layer": layer, "leading": leading.tolist(), "first": first.tolist()}


def _text(found: Posterior, options: argparse.Namespace) -> list[str]:
    """Tables for people."""
    lines = [f"posterior of {found.heading}, in powers of 1/n"]
    lines += [f"  {name}: {value if isinstance(value, str) else _cell(value)}" for name, value in found.facts()]
    lines += _table(*found.rows())
    lines += ["log evidence of every depth", *_table(*found.evidence_rows(options.compare))]
    if options.hidden:
        for layer in range(2, options.depth + 1):
            leading, first = found.kernel(layer)
            lines.append(f"kernel of layer {layer} given the data, over training and test inputs: leading, first")
            for one, two in zip(leading, first, strict=True):
                lines.append(
                    "  " + "".join(f"{own:12.6g}" for own in one) + "   " + "".join(f"{own:12.6g}" for own in two)
                )
    return [*lines, "every component: --format json"]


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    """Columns that stand right-aligned below their titles."""
    cells = [head, *([_cell(own) for own in row] for row in rows)]
    wide = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  " + "  ".join(f"{own:>{size}}" for own, size in zip(row, wide, strict=True)) for row in cells]


def _cell(value: Any) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.8g}"
