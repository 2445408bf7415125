"""``pertheory predict``: what networks of finite width predict when they have been trained."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from pertheory.cli.data import add_data, flagged, read_data
from pertheory.cli.options import (
    add_network,
    add_output,
    add_work,
    check_out,
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
from pertheory.targets import TARGETS

if TYPE_CHECKING:
    from pertheory.training.result import Trained

SUMMARY = "Predict trained networks at finite width: mean and covariance of the outputs to order 1/n, by part."
EXAMPLE = (
    "pertheory predict --activation tanh --train X.csv --targets Y.csv --test T.csv --depth 3 --eta 0.18 --steps inf"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--activation", required=True, help="name of an activation, a formula, or a rule file")
    add_data(parser)
    parser.add_argument("--test-targets", type=place, help="targets of the test inputs, for the expected test loss")
    parser.add_argument("--depth", type=whole("--depth", 1), required=True, help="number of weight layers")
    parser.add_argument("--eta", type=number, help="learning rate; multiplies the error z - y (not for gradient flow)")
    parser.add_argument(
        "--steps", required=True, help="of gradient descent: a number, or inf; or flow:3.5, gradient flow to a time"
    )
    parser.add_argument("--update", default="gradient", help="gradient (default), or newton: of the second order")
    parser.add_argument("--width", type=whole("--width", 1, 10**9), help="n of the last hidden layer: gives totals")
    parser.add_argument(
        "--ensemble",
        type=whole("--ensemble", 1, 10**9),
        default=1,
        help="networks that are averaged (default 1)",
    )
    parser.add_argument(
        "--allow-large", action="store_true", help="warn, and do not refuse, where the expansion parameter is above 0.3"
    )
    add_network(parser)
    add_hyperparameters(parser)
    parser.add_argument("--backend", choices=tuple(TARGETS), default="numpy", help="what computes (default numpy)")
    add_work(parser)
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Derive, compute, train, print."""
    check_out(options.out)
    tables = read_data(options, "train", "targets", "test")
    wanted = None if options.test_targets is None else read_data(options, "test_targets")["test_targets"]
    from pertheory.rulebook.network import network
    from pertheory.theory import theory
    from pertheory.training.data import check_data, check_schedule
    from pertheory.training.prediction import trained

    rule = network(options.network, options.closure)
    hyper, own = split_parameters(options, dict(rule.hyperparameters))
    flagged(options, lambda: check_schedule(options.eta, options.steps, options.update))  # before any work
    flagged(options, lambda: check_data(**tables))
    with working(options) as how:
        closed = theory(rule, "all", 1, limit=limit(options), progress=closure_progress, **how)
    check_program(closed, LOWERED, options)
    found = flagged(
        options,
        lambda: trained(
            closed,
            **tables,
            eta=options.eta,
            steps=options.steps,
            activation=options.activation,
            depth=options.depth,
            width=options.width,
            widths=whole_widths(options),
            ensemble=options.ensemble,
            update=options.update,
            large="warn" if options.allow_large else "refuse",
            backend=options.backend,
            parameters=own,
            progress=CheckedProgress(options),
            rtol=options.rtol,
            **hyper,
        ),
    )
    losses = None if wanted is None else flagged(options, lambda: found.loss(wanted))
    if options.format == "json":
        record = {"schema": "pertheory.predict/1", "activation": options.activation, **found.record()}
        if losses is not None:
            record["loss"] = losses.record(found.width)
        write_text(json.dumps(record, allow_nan=False), options.out)
    else:
        lines = _text(found)
        if losses is not None:
            lines += [f"  {name}: {text}" for name, text in losses.facts(found.width)]
        write_text("\n".join(lines), options.out)
    return 0


def _text(found: Trained) -> list[str]:
    """A line for each fact and a table a quantity, parts of 1/n in its columns."""
    head, rows = found.rows()
    cells = [head, *([str(own) if isinstance(own, int) else f"{own:.6g}" for own in row] for row in rows)]
    wide = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = ["  ".join(f"{own:>{size}}" for own, size in zip(row, wide, strict=True)) for row in cells]
    facts = [f"  {name}: {value}" for name, value in found.facts()]
    return [f"trained {found.heading}, in powers of 1/n", *facts, *lines, "every component: --format json"]
