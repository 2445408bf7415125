"""``pertheory critical``: the critical points and the universality class of an activation."""

from __future__ import annotations

import argparse
import json

from pertheory.cli.options import add_network, add_output, add_parameters, check_out, whole, write_text

SUMMARY = "Find the critical points and the universality class of an activation, and how its gradients behave there."
EXAMPLE = "pertheory critical gelu"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("activation", metavar="ACTIVATION", help="name of an activation, a formula, or a rule file")
    add_network(parser)
    add_parameters(parser)
    parser.add_argument("--width", type=whole("--width", 1), help="with --depth: V/(n K^2) of such a network")
    parser.add_argument("--depth", type=whole("--depth", 1), help="number of weight layers, with --width")
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Print what was found."""
    from pertheory.errors import InputError
    from pertheory.rulebook.network import network
    from pertheory.solve.classify import critical

    check_out(options.out)
    if (options.width is None) != (options.depth is None):
        raise InputError("give both --width and --depth, or neither")
    rule = network(options.network, closure=options.closure)
    found = critical(options.activation, rule, **dict(options.param))
    expected = None
    if options.width is not None:
        from pertheory.initialise.numbers import initialise

        expected = initialise(options.activation, rule, options.width, options.depth, **dict(options.param)).fluctuation
    if options.format == "json":
        record = found.to_json()
        if options.width is not None:
            record |= {"width": options.width, "depth": options.depth, "fluctuation": expected}
        text = json.dumps(record, indent=1)
    else:
        text = str(found)
        if options.width is not None:
            value = "none" if expected is None else f"{expected:.4g}"
            text += f"\n  V/(n K^2)      {value} at depth {options.depth} and width {options.width}"
    write_text(text, options.out)
    return 0
