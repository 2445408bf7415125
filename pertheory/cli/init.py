"""``pertheory init``: how to initialise a network of an activation, in numbers to paste."""

from __future__ import annotations

import argparse
import json

from pertheory.cli.options import add_network, add_output, add_parameters, check_out, whole, write_text

SUMMARY = "Initialise a network so that signals and gradients keep their size: variances, learning rates, code."
EXAMPLE = "pertheory init gelu --width 512 --depth 24 --framework torch"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "activation", metavar="ACTIVATION", nargs="?", help="name of an activation, a formula, or a rule file"
    )
    add_network(parser)
    add_parameters(parser)
    parser.add_argument("--width", type=whole("--width", 1), default=512, help="of the hidden layers (default 512)")
    parser.add_argument("--depth", type=whole("--depth", 1), default=24, help="number of weight layers (default 24)")
    parser.add_argument("--framework", choices=("torch", "jax", "flax", "keras"), help="print code for it")
    parser.add_argument(
        "--all", action="store_true", help="the gains of every activation of PyTorch, beside its own, as Markdown"
    )
    add_output(parser, ("text", "json"))


def main(options: argparse.Namespace) -> int:
    """Print the numbers, or code with them."""
    from pertheory.errors import InputError
    from pertheory.rulebook.network import network

    check_out(options.out)
    if options.all:
        from pertheory.initialise import table
        from pertheory.initialise.frameworks import NAME, WITH_GAINS

        if options.activation or options.param or options.network != "mlp":
            raise InputError("--all is for every activation in mlp; it takes no activation, --network or --param")
        if options.framework not in (None, WITH_GAINS):
            raise InputError(f"--all compares with {NAME}; {options.framework} has no gains of its own")
        found = table.rows()
        text = json.dumps(table.to_json(found), indent=1) if options.format == "json" else table.markdown(found)
        write_text(text, options.out)
        return 0
    if options.activation is None:
        raise InputError("name an activation, or give --all")
    from pertheory.initialise.numbers import initialise

    rule = network(options.network, closure=options.closure)
    numbers = initialise(options.activation, rule, options.width, options.depth, **dict(options.param))
    code = None
    if options.framework:
        from pertheory.initialise.snippets import snippet

        code = snippet(numbers, options.framework)
    if options.format == "json":
        text = json.dumps(numbers.to_json() | ({"snippet": code} if code else {}), indent=1)
    else:
        comments = "\n".join(f"# {line}".rstrip() for line in str(numbers).splitlines())
        text = f"{comments}\n\n{code}".rstrip("\n") if code else str(numbers)
    write_text(text, options.out)
    return 0
