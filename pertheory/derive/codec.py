"""Diagrams as JSON text and back, for the store on disk and for other processes.

Contract: ``decode(encode(diagrams)) == diagrams``, and the text is the same in every process.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from pertheory.algebra.monomial import Monomial
from pertheory.derive.diagram import Diagram, Leg, Vertex
from pertheory.derive.layer import diagrams
from pertheory.derive.pair import Join
from pertheory.derive.refine import Sites
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network


def derive_encoded(rule: Network, sublayer: int, kind: TensorType, order: int) -> str:
    """The diagrams of T{order} as text: the unit of work that is sent to other processes."""
    return encode(diagrams(rule, sublayer, kind, order))


def encode(found: Sequence[Diagram]) -> str:
    """Diagrams as JSON text."""
    return json.dumps([_plain(diagram) for diagram in found], separators=(",", ":"))


def decode(text: str) -> tuple[Diagram, ...]:
    """Diagrams from what `encode` wrote.

    Raises:
        ValueError, KeyError, TypeError, IndexError: the text is something else.
    """
    return tuple(_diagram(entry) for entry in json.loads(text))


def _plain(diagram: Diagram) -> dict[str, Any]:
    record = diagram._asdict()
    record["coefficient"] = str(diagram.coefficient)
    record["sites"] = {
        **diagram.sites._asdict(),
        "joins": [
            {**join._asdict(), "factor": [str(join.factor.coefficient), join.factor.powers]}
            for join in diagram.sites.joins
        ],
    }
    return record


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _diagram(entry: dict[str, Any]) -> Diagram:
    fields = {name: _tuples(value) for name, value in entry.items()}
    joins = []
    for join in fields["sites"]["joins"]:
        number, powers = join["factor"]
        joins.append(Join(**{**_items(join), "factor": Monomial(Fraction(number), _tuples(powers))}))
    sites = _items(fields["sites"])
    fields["sites"] = Sites(**{**sites, "joins": tuple(joins)})
    fields["coefficient"] = Fraction(fields["coefficient"])
    fields["kind"] = TensorType(*fields["kind"])
    fields["legs"] = tuple(Leg(*leg) for leg in fields["legs"])
    fields["vertices"] = tuple(Vertex(TensorType(*kind), order, slots) for kind, order, slots in fields["vertices"])
    return Diagram(**fields)


def _items(record: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuples(value) for name, value in record.items()}
