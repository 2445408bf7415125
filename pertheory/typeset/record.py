"""The JSON form of a recursion, schema ``pertheory.recursion/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pertheory.algebra.terms import Average, sorted_terms
from pertheory.typeset.components import written

if TYPE_CHECKING:
    from pertheory.recursion import Recursion


def record(recursion: Recursion) -> dict[str, Any]:
    """The expanded form as plain lists and dictionaries."""
    labels = recursion.tensor.labels
    channels = [c for rule in recursion.networks for layer in rule.sublayers for _, own in layer.fields for c in own]
    several = recursion.has_several_fields
    named = several or len({channel.function for channel in channels} - {""}) > 1

    def average(item: Average) -> list[list[Any]]:
        """Sample and derivative order; the function where there are several; the field where there are several."""
        last = [item.field] if several else []
        return [
            [labels[sample], order, *([function] if named else []), *last]
            for sample, _, lines in item.factors
            for function, order in lines
        ]

    terms = []
    given = [recursion.tensor] if recursion.tensor.given else []
    for term, coefficient in sorted_terms(recursion.terms):
        components = sorted(
            (written(*component) for component in term.tensors),
            key=lambda w: (w.tensor.name, w.order, w.slots),
        )
        given += [w.tensor for w in components if w.tensor.given]
        terms.append(
            {
                "coefficient": str(coefficient),
                "order": term.order,
                "couplings": dict(term.couplings),
                "widths": {"n": term.width_power, "n_prev": -term.width_power} if term.width_power else {},
                "tensors": [
                    {"name": w.tensor.name, "order": w.order, "slots": [labels[s] for s in w.slots]} for w in components
                ],
                "averages": [average(item) for item in term.averages],
            }
        )
    return {
        "schema": "pertheory.recursion/1",
        "network": ", ".join(rule.name for rule in recursion.networks),
        "closure": "exact" if recursion.is_exact else "pairs",
        "tensor": recursion.tensor.name,
        # names that the user gave mean nothing to others
        **({"names": {tensor.name: tensor.observable for tensor in given}} if given else {}),
        "slots": list(labels),
        "order": max(recursion.orders),
        "terms": terms,
    }
