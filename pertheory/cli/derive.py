"""``pertheory derive``: the recursion of a tensor."""

from __future__ import annotations

import argparse
import json

from pertheory.cli.options import (
    add_explain,
    add_network,
    add_order,
    add_output,
    add_work,
    check_names,
    check_out,
    check_work,
    closure_progress,
    limit,
    working,
    write_text,
)
from pertheory.cli.work import check_expansion
from pertheory.errors import InputError

SUMMARY = "Derive the recursion of one or more tensors from the definition of the network."
EXAMPLE = 'pertheory derive "z(1) z(2) H(3,4) @ 13,24" --order 1 --format latex'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "tensors", nargs="*", metavar="TENSOR", help="a name such as V, or an observable with its pairs"
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="list every tensor that exists at an order of 1/n, and stop",
    )
    add_network(parser)
    add_order(parser, 0, "highest k of T{k}; with --list the power of 1/n")
    parser.add_argument(
        "--form",
        choices=("diagram", "expanded"),
        default="diagram",
        help="diagram: compact; expanded: every average spelled out (json is always expanded)",
    )
    add_explain(parser, "tell")
    add_work(parser)
    add_output(parser, ("text", "latex", "json", "svg"))


def main(options: argparse.Namespace) -> int:
    """Derive and print."""
    check_out(options.out)
    if options.list:
        if options.tensors:
            raise InputError("derive --list takes no tensors: it lists all that exist at the order")
        if options.explain is not None:
            raise InputError("derive --list and --explain do not go together; name a tensor to explain its terms")
        if options.format in ("latex", "svg"):
            raise InputError(f"derive --list: --format {options.format} is not available; use text or json")
        return _list(options)
    if not options.tensors:
        raise InputError("derive needs a tensor, such as V, or --list")
    if options.explain is not None and options.format != "text":
        raise InputError(f"--explain is plain text; --format {options.format} is not available")
    if options.format == "svg" and len(options.tensors) > 1:
        raise InputError(f"--format svg draws one tensor; name {options.tensors[0]} alone")
    check_work(check_names(options.tensors), options.order, True, options)
    from pertheory.recursion import derive
    from pertheory.rulebook.network import network

    rule = network(options.network, options.closure)
    with working(options) as how:
        recursions = [derive(rule, text, order=options.order, **how) for text in options.tensors]
    if options.explain is not None or options.format == "json" or options.form == "expanded":
        check_expansion(recursions, options)
    if options.explain is not None:
        write_text("\n\n".join(str(recursion.explain(options.explain)) for recursion in recursions), options.out)
        return 0
    if options.format == "json":
        records = [recursion.to_json() for recursion in recursions]
        text = json.dumps(records[0] if len(records) == 1 else records, indent=1)
    elif options.format == "svg":
        text = recursions[0].draw().to_svg()
    elif options.format == "latex":
        text = "\n\n".join(recursion.to_latex(options.form) for recursion in recursions)
    else:
        text = "\n\n".join(recursion.to_text(options.form) for recursion in recursions)
    write_text(text, options.out)
    return 0


def _list(options: argparse.Namespace) -> int:
    from pertheory.rulebook.network import network
    from pertheory.theory import theory

    rule = network(options.network, options.closure)
    with working(options) as how:
        closed = theory(rule, "every", options.order, limit=limit(options), progress=closure_progress, **how)
    rows = []
    for tensor, orders in closed.tensors:
        own = [node for node in closed.nodes if node.kind == tensor.kind]
        count = sum(len(closed.recursion(node).diagrams) for node in own)
        rows.append(
            {
                "name": tensor.name,
                "forest": tensor.observable.partition(" @ ")[0],
                "pairing": tensor.observable.partition(" @ ")[2],
                "symmetry": tensor.kind.symmetry_order,
                "orders": list(orders),
                "diagrams": count,
            }
        )
    if options.format == "json":
        text = json.dumps(
            {
                "schema": "pertheory.list/1",
                "network": closed.network.name,
                "order": options.order,
                "tensors": rows,
            },
            indent=1,
        )
    else:
        lines = [f"{'name':<8} {'forest':<34} {'pairing':<14} {'symmetry':>8} {'orders':<10} {'diagrams':>8}"]
        for row in rows:
            shown = row["name"] if " " not in str(row["name"]) else "-"
            orders_text = ",".join(str(k) for k in row["orders"])  # type: ignore[attr-defined]
            lines.append(
                f"{shown:<8} {row['forest']:<34} {row['pairing']:<14} {row['symmetry']:>8} "
                f"{orders_text:<10} {row['diagrams']:>8}"
            )
        lines.append(f"{len(rows)} tensor types to order 1/n^{options.order}")
        text = "\n".join(lines)
    write_text(text, options.out)
    return 0
