"""``pertheory draw``: pictures of tensors, recursions, derivations and theories."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pertheory.cli.options import (
    add_explain,
    add_network,
    add_order,
    add_work,
    check_names,
    check_out,
    check_work,
    closure_progress,
    collect_output,
    limit,
    place,
    working,
    write_text,
)
from pertheory.cli.work import check_expansion
from pertheory.draw.tikz import write_document
from pertheory.errors import InputError

if TYPE_CHECKING:
    from pertheory.draw.drawn import Drawn

SUMMARY = "Draw a tensor, the diagrams of a recursion, how a term came about, or what a theory consists of."
EXAMPLE = "pertheory draw V --order 1"

FORMATS = ("svg", "tex", "html", "pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "tensors",
        nargs="+",
        metavar="TENSOR",
        help="a name such as V, or an observable with its pairs; for a theory one or more, or all",
    )
    add_network(parser)
    add_order(parser, 0, "highest k of T{k}; for a theory the power of 1/n that is kept")
    parser.add_argument(
        "--form",
        choices=("tensor", "recursion", "theory"),
        default="recursion",
        help="tensor: its forest and pairing; recursion: its diagrams (default); theory: which tensor reads which",
    )
    add_explain(parser, "draw")
    add_work(parser)
    parser.add_argument(
        "--out", type=place, help="write to this file, .svg, .tex, .html or .pdf (default: SVG on standard output)"
    )


def main(options: argparse.Namespace) -> int:
    """Draw and print."""
    check_out(options.out)
    wanted = _format(options.out)
    if options.form != "theory" and len(options.tensors) > 1:
        raise InputError(
            f"--form {options.form} draws one tensor; name {options.tensors[0]} alone, or use --form theory"
        )
    if options.explain is not None and options.form != "recursion":
        raise InputError(f"--explain draws a term of a recursion; --form {options.form} does not go with it")
    if options.form != "theory" and options.tensors[0] in ("all", "every"):
        raise InputError(f"{options.tensors[0]} is a theory, not a tensor; add --form theory, or name one such as V")
    check_names(options.tensors)
    if options.form == "tensor":
        from pertheory.rulebook.tensors import find_tensor

        drawn: Drawn = find_tensor(options.tensors[0])[0]
    else:
        drawn = _theory(options) if options.form == "theory" else _recursion(options)
    if wanted == "pdf":
        made = drawn.to_pdf()
        with collect_output(options.out) as handle:
            handle.write(made)
    else:
        write_text(_written(drawn, wanted), options.out)
    return 0


def _format(out: Path | None) -> str:
    """What the end of a file's name asks for."""
    end = "svg" if out is None else out.suffix.lower().removeprefix(".")
    if end not in FORMATS:
        raise InputError(f"--out {out}: a picture is a file .svg, .tex, .html or .pdf")
    return end


def _recursion(options: argparse.Namespace) -> Drawn:
    from pertheory.recursion import derive
    from pertheory.rulebook.network import network

    check_work(options.tensors, options.order, True, options)
    rule = network(options.network, options.closure)
    with working(options) as how:
        recursion = derive(rule, options.tensors[0], order=options.order, **how)
    if options.explain is not None:
        check_expansion([recursion], options)
        return recursion.explain(options.explain)
    return recursion.draw()


def _theory(options: argparse.Namespace) -> Drawn:
    from pertheory.rulebook.network import network
    from pertheory.theory import theory

    check_work(options.tensors, options.order, False, options)
    rule = network(options.network, options.closure)
    with working(options) as how:
        return theory(rule, options.tensors, options.order, limit=limit(options), progress=closure_progress, **how)


def _written(drawn: Drawn, wanted: str) -> str:
    """A picture in a format, each a document of its own."""
    if wanted == "svg":
        return drawn.to_svg()
    return write_document(drawn.to_tikz()) if wanted == "tex" else drawn.to_html()
