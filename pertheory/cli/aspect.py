"""``pertheory aspect``: the best depth for a width."""

from __future__ import annotations

import argparse
import json

from pertheory.cli.options import add_network, add_output, add_parameters, check_out, whole, write_text

SUMMARY = "The ratio of depth to width at which the outputs know most about each other, and the depth for a width."
EXAMPLE = "pertheory aspect relu --outputs 3 --width 256"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("activation", metavar="ACTIVATION", help="name of an activation, a formula, or a rule file")
    parser.add_argument("--outputs", type=whole("--outputs", 1, 10**9), default=3, help="n_L, the outputs (default 3)")
    parser.add_argument("--width", type=whole("--width", 1, 10**9), help="n of all hidden layers: gives a depth")
    add_parameters(parser)
    add_network(parser)
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Solve and print."""
    check_out(options.out)
    from pertheory.infer.aspect import aspect
    from pertheory.rulebook.network import network

    rule = network(options.network, options.closure)
    found = aspect(options.activation, rule, options.outputs, options.width, **dict(options.param))
    if options.format == "json":
        write_text(json.dumps(found.record(), allow_nan=False), options.out)
        return 0
    facts = found.facts()
    wide = max(len(name) for name, _ in facts)
    lines = [f"{found.network}, {found.activation}, at criticality and on one input"]
    write_text("\n".join([*lines, *(f"  {name:<{wide}}  {value}" for name, value in facts)]), options.out)
    return 0
