"""What a renaming of samples does to the terms of a recursion, for the tests that compare recursions."""

from pertheory.algebra.terms import Average, Component, Factor, Term, Terms
from pertheory.graphs.tensor import canonical_slots


def renamed_terms(terms: Terms, image) -> Terms:
    """The terms with sample ``s`` renamed ``image[s]``, in the standard form of terms."""
    result: Terms = {}
    for term, coefficient in terms.items():
        tensors = tuple(
            sorted(
                Component(kind, order, canonical_slots(kind, tuple(image[s] for s in slots)))
                for kind, order, slots in term.tensors
            )
        )
        averages = tuple(
            sorted(
                Average(field, tuple(sorted(Factor(image[s], legs, lines) for s, legs, lines in factors)))
                for field, factors in term.averages
            )
        )
        new = Term(term.order, term.couplings, term.width_power, tensors, averages)
        result[new] = result.get(new, 0) + coefficient
    return result
