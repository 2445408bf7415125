"""``pertheory describe``: what a tensor, a network or an activation is."""

from __future__ import annotations

import argparse
import json

from pertheory.cli.options import add_output, check_out, write_text

SUMMARY = (
    "Describe a tensor (definition, slots, symmetries, normalisation, place in the book), a network, an activation."
)
EXAMPLE = "pertheory describe F"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="a tensor such as F, an observable with its pairs, a network such as mlp, an activation such as gelu",
    )
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Print the description."""
    check_out(options.out)
    from pertheory.describe import describe

    found = describe(options.name)
    write_text(json.dumps(found.record, indent=1) if options.format == "json" else str(found), options.out)
    return 0
