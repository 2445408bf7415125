"""``pertheory describe``: what a tensor, a network or an activation is."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from pertheory.cli.options import add_output, check_out, write_text
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.catalogue import catalogue, find_activation
from pertheory.rulebook.architecture import IDENTITY, Channel
from pertheory.rulebook.files import nearest, read_toml, rules_folder
from pertheory.rulebook.names import is_name, shown
from pertheory.rulebook.tensors import Tensor, find_tensor, named_tensors, tensor_of

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
    record, text = _found(options.name)
    write_text(json.dumps(record, indent=1) if options.format == "json" else text, options.out)
    return 0


def _found(name: str) -> tuple[dict[str, Any], str]:
    """What has that name, as plain values and as text: a tensor, else a network, else an activation."""
    if re.fullmatch(r"\(?([0-9]+|inf)\.[0-9]+\)?", name.strip()):
        raise InputError(
            f"{name.strip()} reads as an equation; pertheory check --equation {name.strip(' ()')} shows it"
        )
    try:
        record = description(*find_tensor(name))
        return record, _text(record)
    except InputError:
        for kind in (_network, _activation):
            record = kind(name.strip())
            if record:
                rows = (f"  {key:<14} {shown}" for key, value in record.items() for shown in _lines(value))
                return record, "\n".join([f"{record['name']}: {kind.__name__[1:]}", *rows])
        if not is_name(name):
            find_activation(name.strip())  # a name of another program has an error of its own
            raise
        networks = [path.stem for path in (rules_folder() / "networks").glob("*.toml")]
        known = [*(own for tensor in named_tensors() for own in tensor.names), *networks, *catalogue()]
        hint = nearest(name, known)
        raise InputError(f"no tensor, network or activation is called {shown(name)}; {hint}") from None


def _lines(value: Any) -> list[str]:
    """A value in rows: of a list one an entry."""
    if isinstance(value, dict):
        value = ", ".join(f"{key} = {own:g}" for key, own in value.items())
    return [str(own) for own in value] if isinstance(value, list) else [str(value)]


def _network(name: str) -> dict[str, Any]:
    """The facts about a network, or nothing if there is none of that name or path."""
    from pertheory.rulebook.network import read_network, rule_file
    from pertheory.rulebook.soundness import unsound

    try:
        path = rule_file(name)
    except InputError:
        return {}
    if {"formula", "pieces"} & set(read_toml(path)):  # the file of an activation
        return {}
    rule = read_network(path)
    try:
        reasons = unsound(rule)
    except UnsupportedError as error:
        reasons = [str(error)]
    return {
        "name": rule.name,
        "title": rule.title,
        "layer": [
            f"{field}' = {' + '.join(_channel(channel) for channel in channels)}"
            for layer in rule.sublayers
            for field, channels in layer.fields
        ],
        "hyperparameters": dict(rule.hyperparameters),
        "functions": list(rule.functions),
        "sound": "; ".join(reasons) or "yes",
    }


def _channel(channel: Channel) -> str:
    """As in ``W s(z)``."""
    if channel.kind == "bias":
        return channel.parameter
    inside = channel.of if channel.function == IDENTITY else f"{channel.function}({channel.of})"
    factors = [name if power == 1 else f"{name}^{power}" for name, power in channel.factor.powers]
    number = channel.factor.coefficient
    parts = [*([str(number)] if number != 1 else []), *factors, channel.parameter, inside]
    return " ".join(part for part in parts if part)


def _activation(name: str) -> dict[str, Any]:
    """The facts about an activation, or nothing if it is none."""
    if is_name(name) and find_activation(name) is None:
        return {}
    from pertheory.functions.activation import activation

    try:
        found = activation(name)
    except InputError:
        return {}
    return {
        "name": found.name,
        "pieces": [f"{piece.text} from {piece.lower:g} to {piece.upper:g}" for piece in found.pieces],
        "parameters": {key: float(value) for key, value in found.parameters},
        "kinks": list(found.kinks),
        "jumps at kinks": "none" if found.jump_order is None else f"derivative {found.jump_order}",
    }


def description(tensor: Tensor, order: int | None) -> dict[str, Any]:
    """The facts about a tensor as plain values."""
    labels = tensor.labels
    p = tensor.pairs
    known = tensor_of(tensor.kind)
    return {
        "name": tensor.name,
        "order": order,
        "title": tensor.title or known.title or "a tensor that the book does not name",
        "same_type_as": known.name if known.name != tensor.name else None,
        "observable": tensor.observable,
        "slots": list(labels),
        "pairs": [labels[u] + labels[v] for u, v in tensor.slot_pairs()],
        "edges": [f"{labels[u]}-{labels[v]}" for u, v in tensor.slot_edges()],
        "symmetries": [" ".join(labels[i] for i in generator) for generator in tensor.symmetries()],
        "symmetry_order": tensor.kind.symmetry_order,
        "normalisation": f"joint cumulant = n^-{p - 1} * sum over pairings of deltas * {tensor.identifier}"
        if p > 1
        else f"mean = delta * {tensor.identifier}",
        "width": "n is the width of the layer below; T = T{0} + T{1}/n + T{2}/n^2 + ...",
        "first_order": p - 1,
        "book": tensor.book or known.book or "not in the book",
        "identifier": tensor.identifier,
    }


def _text(record: dict[str, Any]) -> str:
    mark = "" if record["order"] is None else f", order {record['order']}"
    symmetries = "; ".join(record["symmetries"]) or "none"
    same = f" (same type as {record['same_type_as']})" if record["same_type_as"] else ""
    return "\n".join(
        [
            f"{record['name']}{mark}: {record['title']}{same}",
            f"  definition     {record['observable']}",
            f"  slots          {', '.join(record['slots'])}",
            f"  one neuron     {', '.join(record['pairs'])}",
            f"  derivatives    {', '.join(record['edges']) or 'none'}",
            f"  symmetries     {record['symmetry_order']} equal slot orders, generated by {symmetries}",
            f"  normalisation  {record['normalisation']}",
            f"                 {record['width']}",
            f"  first seen at  order 1/n^{record['first_order']}",
            f"  book           {record['book']}",
            f"  in code        {record['identifier']}",
        ]
    )
