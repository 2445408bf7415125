"""What a tensor, a network or an activation is, by name: facts as plain values, as text, and as a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pertheory import html
from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.catalogue import catalogue, find_activation
from pertheory.functions.symbols import is_symbolic
from pertheory.rulebook.files import nearest, read_toml, rules_folder
from pertheory.rulebook.names import is_name, shown
from pertheory.rulebook.network import Network, any_rule, rule_file
from pertheory.rulebook.soundness import unsound
from pertheory.rulebook.tensors import Tensor, any_tensor, find_tensor, known_tensors
from pertheory.text import shortened


@dataclass(frozen=True, repr=False)
class Description:
    """The facts about something that has a name; shows itself as text, and as a table in a notebook.

    Attributes:
        kind: "tensor", "network" or "activation".
        title: one line.
        rows: what and value, for people.
        record: the same as plain values, as JSON has them.
    """

    kind: str
    title: str
    rows: tuple[tuple[str, str], ...]
    record: Mapping[str, Any] = field(hash=False)

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"  {what:<14} {value}" for what, value in self.rows)])

    def __repr__(self) -> str:
        return f"Description({self.kind}: {shortened(self.title, 200)})"

    def _repr_html_(self) -> str:
        return html.page(self.title, html.facts(self.rows))


def describe(what: Any) -> Description:
    """What a tensor, a network or an activation is.

    Args:
        what: a name such as ``"F"``, ``"mlp"``, ``"gelu"``, of a tensor first, then of a network; an observable with
            its pairs; a `Tensor`, a `Network`, an `Activation`, a sympy expression; a rule as text or as a dictionary.

    Raises:
        InputError: nothing is called so; names the nearest.

    Example:
        >>> print(str(describe("V")).splitlines()[0])
        V: four-point vertex
    """
    if isinstance(what, Network | Mapping):
        return _of_record("network", _network_record(any_rule(what)))
    if not isinstance(what, str):
        from pertheory.functions.activation import Activation, activation

        if isinstance(what, Activation) or is_symbolic(what):
            return _of_record("activation", activation(what).description())
        return _of_tensor(*any_tensor(what))
    if re.fullmatch(r"\(?([0-9]+|inf)\.[0-9]+\)?", what.strip()):
        raise InputError(
            f"{what.strip()} reads as an equation; pertheory check --equation {what.strip(' ()')} shows it"
        )
    try:
        return _of_tensor(*find_tensor(what))
    except InputError:
        for kind, found in (("network", _network), ("activation", _activation)):
            record = found(what.strip())
            if record:
                return _of_record(kind, record)
        if not is_name(what):
            find_activation(what.strip())  # a name of another program has an error of its own
            raise
        networks = [path.stem for path in (rules_folder() / "networks").glob("*.toml")]
        known = [*(own for tensor in known_tensors() for own in tensor.names), *networks, *catalogue()]
        hint = nearest(what, known)
        raise InputError(f"no tensor, network or activation is called {shown(what)}; {hint}") from None


def _of_tensor(tensor: Tensor, order: int | None) -> Description:
    title, rows = tensor.facts(order)
    return Description("tensor", title, tuple(rows), tensor.description(order))


def _of_record(kind: str, record: Mapping[str, Any]) -> Description:
    rows = tuple((key, own) for key, value in record.items() for own in _lines(value))
    return Description(kind, f"{record['name']}: {kind}", rows, record)


def _lines(value: Any) -> list[str]:
    """A value in rows: of a list one an entry."""
    if isinstance(value, dict):
        value = ", ".join(f"{key} = {own:g}" for key, own in value.items())
    return [str(own) for own in value] if isinstance(value, list) else [str(value)]


def _network(name: str) -> dict[str, Any]:
    """The facts about a network, or nothing if there is none of that name or path."""
    if "\n" in name:
        return _network_record(any_rule(name))
    try:
        path = rule_file(name)
    except InputError:
        return {}
    if {"formula", "pieces"} & set(read_toml(path)):  # the file of an activation
        return {}
    return _network_record(any_rule(path))


def _network_record(rule: Network) -> dict[str, Any]:
    if rule.activations:
        from pertheory.functions.chosen import fixed_functions  # with NumPy

        fixed_functions(rule)
    try:
        reasons = unsound(rule)
    except UnsupportedError as error:
        reasons = [str(error)]
    return {
        "name": rule.name,
        "title": rule.title,
        "layer": rule.equations(),
        "hyperparameters": dict(rule.hyperparameters),
        "functions": list(rule.functions),
        "sound": "; ".join(reasons) or "yes",
    }


def _activation(name: str) -> dict[str, Any]:
    """The facts about an activation, or nothing if it is none."""
    if is_name(name) and find_activation(name) is None:
        return {}
    from pertheory.functions.activation import activation  # with NumPy, which a name of a tensor does not need

    try:
        return activation(name).description()
    except InputError:
        return {}
