"""The expansion as text and as LaTeX, term by term."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_lowercase
from typing import NamedTuple

from pertheory.errors import InputError
from pertheory.infer.expansion import SOURCE, Diagram, diagrams
from pertheory.infer.pure import key_of
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import whole

#: what may be written, with its external legs and whether it has a probe
QUANTITIES = {"log_evidence": (0, False), "mean": (1, False), "covariance": (2, False), "kernel": (0, True)}
_NEURONS, _LABELS = "ij", [letter for letter in ascii_lowercase if letter not in "ij"]


class _Style(NamedTuple):
    """How the parts of a term are written, each from the labels of its legs."""

    tensor: Callable[[str, str], str]
    inverse: Callable[[str], str]
    both: Callable[[str], str]
    source: Callable[[str, str], str]
    leg: Callable[[str], str]
    delta: str
    outputs: str
    fraction: Callable[[int, int], str]


_TEXT = _Style(
    lambda name, at: f"{name}({at})",
    lambda at: f"Kt({at})",
    lambda at: f"aa({at})",
    lambda neuron, at: f"a_{neuron}({at})",
    lambda at: f"RR({at})",
    "delta_ij",
    "n_L",
    lambda above, below: f"{above}/{below}",
)
_LATEX = _Style(
    lambda name, at: f"{_symbol(name)}{{}}_{{{at}}}",
    lambda at: rf"\widetilde{{K}}^{{{at}}}",
    lambda at: rf"(a a)^{{{at}}}",
    lambda neuron, at: f"a_{neuron}^{{{at}}}",
    lambda at: f"R_{at[0]}^{{{at[1:]}}}",
    r"\delta_{ij}",
    "n_L",
    lambda above, below: rf"\frac{{{above}}}{{{below}}}",
)


def _symbol(name: str) -> str:
    """A tensor's name in LaTeX: V6{1} has its points below and its order above."""
    head, _, order = name.rstrip("}").partition("{")
    below = f"_{{({head[1:]})}}" if head[1:] else ""
    return head[0] + below + (rf"^{{\{{{order}\}}}}" if order else "")


def written(quantity: str, order: int = 1, latex: bool = False) -> str:
    """The coefficient of 1/n^order of a posterior quantity, in the cumulants of the prior.

    Args:
        quantity: "log_evidence", "mean" of output i at test input 1, "covariance" of output i at 1 and j at 2, or
            "kernel": the mean kernel of the outputs between 1 and 2, given the data.
        order: from 1.
        latex: as LaTeX.

    Returns:
        A sum of terms. Letters are summed over all samples; Kt is the inverse of the kernel of the training set, its
        noise added, and zero elsewhere; a_i = Kt y_i, aa the sum of a_i a_i over outputs, RR(1,.) the unit vector of
        the test input less K(1,.) Kt.

    Raises:
        InputError: an unknown quantity, an order below 1.

    Example:
        >>> written("kernel")
        'G{1}(1,2) + 1/2 V(a,b,1,2) aa(a,b) - 1/2 n_L V(a,b,1,2) Kt(a,b)'
    """
    if quantity not in QUANTITIES:
        raise InputError(f"{shown(quantity)} is none of {', '.join(QUANTITIES)}")
    found = diagrams(whole(order, "order", 1), *QUANTITIES[quantity])
    return " ".join(_term(own, _LATEX if latex else _TEXT) for own in found).removeprefix("+ ")


def _term(diagram: Diagram, style: _Style) -> str:
    """One term, its sign first."""
    join = "," if style is _TEXT else ""
    labels = iter(_LABELS)
    probes = [block.links[0] for block in diagram.blocks if block.kind == "probe"]
    slots = []
    for link in range(sum(own.pairs for own in diagram.vertices)):
        slots += ["1", "2"] if link in probes else [next(labels), next(labels)]
    factors, start = [], 0
    for own in diagram.vertices:
        factors.append(style.tensor(key_of(own), join.join(slots[start : start + 2 * own.pairs])))
        start += 2 * own.pairs
    for block in diagram.blocks:
        first, last = slots[2 * block.links[0]], slots[2 * block.links[-1] + 1]
        joined = [(slots[2 * a + 1], slots[2 * b]) for a, b in zip(block.links, block.links[1:], strict=False)]
        factors += [
            style.inverse(join.join(sorted(pair))) for pair in joined + [(last, first)] * (block.kind == "loop")
        ]
        factors += _ends(block.ends, (first, last), style, join)
    number = abs(diagram.coefficient)
    front = [] if number == 1 else [style.fraction(number.numerator, number.denominator)]
    front += [style.outputs + (f"^{diagram.loops}" if diagram.loops > 1 else "")] if diagram.loops else []
    return ("- " if diagram.coefficient < 0 else "+ ") + " ".join(front + factors)


def _ends(ends: tuple[int, ...], labels: tuple[str, str], style: _Style, join: str) -> list[str]:
    """What a chain ends on."""
    if not ends:
        return []
    if set(ends) == {SOURCE}:
        return [style.both(join.join(labels))]
    factors = [style.delta] if SOURCE not in ends else []
    neuron = _NEURONS[max(ends)]
    for end, label in zip(ends, labels, strict=True):
        factors.append(style.source(neuron, label) if end == SOURCE else style.leg(join.join((str(end + 1), label))))
    return factors
