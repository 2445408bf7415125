"""``pertheory emit``: source code that computes a theory."""

from __future__ import annotations

import argparse

from pertheory.cli.options import (
    add_network,
    add_order,
    add_work,
    check_work,
    closure_progress,
    limit,
    place,
    tensor_list,
    working,
)
from pertheory.cli.work import COMBINED, LOWERED, PRINTED, check_program
from pertheory.errors import InputError
from pertheory.targets import TARGETS

SUMMARY = "Write source code that computes the tensors, layer by layer."
EXAMPLE = "pertheory emit --target numpy --out build"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--target", choices=tuple(TARGETS), required=True, help="language of the code")
    parser.add_argument("--out", type=place, required=True, help="folder to write into; made if it does not exist")
    add_network(parser)
    parser.add_argument(
        "--activation",
        default="tanh",
        help="whose averages are built in (c), and whether kinks are combined input by input (default tanh)",
    )
    parser.add_argument("--tensors", nargs="+", default=["all"], metavar="TENSOR", help="names or observables, or all")
    add_order(parser, 1, "power of 1/n that is kept")
    parser.add_argument(
        "--inputs",
        choices=("many", "one"),
        default="many",
        help="all pairs of inputs, or one input by itself",
    )
    add_work(parser)


def main(options: argparse.Namespace) -> int:
    """Derive, lower, print; report the files."""
    from pertheory.functions.activation import activation
    from pertheory.rulebook.network import network
    from pertheory.theory import theory, write_folder

    function = activation(options.activation)  # a wrong name is an error before any work
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"--out {options.out}: is a file; name a folder")
    names = tensor_list(options.tensors)
    check_work(names, options.order, False, options)
    rule = network(options.network, options.closure)
    with working(options) as how:
        closed = theory(rule, names, options.order, limit=limit(options), progress=closure_progress, **how)
    if options.inputs == "many":
        smooth = PRINTED if options.target == "c" else LOWERED
        check_program(closed, smooth if function.is_smooth else COMBINED, options)
    texts = closed.texts(options.target, options.inputs, options.activation)
    try:
        files = write_folder(options.out, texts)
    except InputError as error:
        raise InputError(f"--out {error}") from None
    for path in files:
        print(path)
    return 0
