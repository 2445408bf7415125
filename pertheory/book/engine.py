"""What the engine derives, as canonical sums: every verdict goes through here."""

from __future__ import annotations

from pertheory.algebra.monomial import multiply_powers
from pertheory.algebra.polynomial import add_into, collected
from pertheory.algebra.terms import Average, Component, Term, Terms
from pertheory.book import syntax
from pertheory.book.canonical import Mono, Poly, average
from pertheory.derive.first_layer import first_layer as first_layer_diagrams
from pertheory.errors import UnsupportedError
from pertheory.graphs.tensor import TensorType, canonical_slots
from pertheory.memo import forget, remembered
from pertheory.recursion import Recursion, derive
from pertheory.rulebook.network import IDENTITY, Network
from pertheory.rulebook.tensors import Tensor, find_tensor, named_tensors, tensor_of

#: the name of the inner product of two inputs over their number of components, in statements on the first layer
INPUT_PRODUCT = "xx"


def tensor_named(name: str) -> Tensor:
    """The tensor of a name in a statement."""
    return find_tensor(name)[0]


@remembered(maxsize=2_000)
def terms_of(rule: Network, kind: TensorType, order: int) -> Terms:
    """The expanded form of T{order} of the layer above; samples are slots of the tensor's name."""
    tensor = tensor_of(kind)
    named = any(own.kind == kind for own in named_tensors())
    recursion = derive(rule, f"{tensor.name}{{{order}}}" if named else tensor, order=order)
    return {term: coefficient for term, coefficient in recursion.terms.items() if term.order == order}


def component(written: syntax.Component, labels: tuple[int, ...]) -> Component:
    """A component of the layer below in canonical slots."""
    tensor = tensor_named(written.name)
    return Component(tensor.kind, written.order, canonical_slots(tensor.kind, by_vertex(tensor, labels)))


def by_vertex(tensor: Tensor, labels: tuple[int, ...]) -> tuple[int, ...]:
    """Labels in the order of the tensor's name, in the order of the vertices of its type."""
    placed = [0] * len(labels)
    for vertex, label in zip(tensor.slots, labels, strict=True):
        placed[vertex] = label
    return tuple(placed)


def derived(rule: Network, written: syntax.Component, labels: tuple[int, ...], one: bool) -> Poly:
    """A component of the layer above as the engine's sum over the layer below.

    Args:
        rule: the network.
        written: the component; with a fixed layer 2 only what the first layer has is kept.
        labels: its samples, in the order of its name.
        one: whether all samples are the same.
    """
    total: Poly = {}
    for term, coefficient in terms_for(rule, written).items():
        add_into(total, _imported(term, labels, one), coefficient)
    return total


def terms_for(rule: Network, written: syntax.Component) -> Terms:
    """The terms of a component of the layer above; of a fixed layer 2 those whose tensors the first layer has."""
    terms = terms_of(rule, tensor_named(written.name).kind, written.order)
    if not written.layer:
        return terms
    return {t: c for t, c in terms.items() if all(first_layer(rule, part.kind, part.order) for part in t.tensors)}


def _imported(term: Term, labels: tuple[int, ...], one: bool) -> Poly:
    """A term of the engine with samples for its slots; bare preactivations are removed by Stein's lemma."""
    tensors = tuple(
        sorted(
            Component(kind, order, canonical_slots(kind, tuple([labels[slot] for slot in slots])))
            for kind, order, slots in term.tensors
        )
    )
    widths = (("n", term.width_power), ("n_prev", -term.width_power)) if term.width_power else ()
    poly: Poly = {Mono(scalars=multiply_powers((term.couplings, widths)), tensors=tensors): 1}  # type: ignore[dict-item]
    for item in term.averages:
        lines, zeds = lines_of(item, labels)
        poly = average({mono._replace(lines=lines, zeds=zeds): c for mono, c in poly.items()}, one)
    return poly


def lines_of(item: Average, labels: tuple[int, ...]) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
    """The functions and the bare preactivations of an average of the engine, at the samples of its slots."""
    lines, zeds = [], []
    for sample, legs, functions in item.factors:
        assert not legs, "legs stand in front of a product only where samples coincide"
        for function, order in functions:
            if function == IDENTITY:
                zeds.append(labels[sample])
            elif function == "s":
                lines.append((labels[sample], order))
            else:
                raise UnsupportedError(f"statements know one activation s, not {function!r}")
    return tuple(sorted(lines)), tuple(sorted(zeds))


@remembered(maxsize=2_000)
def first_layer(rule: Network, kind: TensorType, order: int) -> Terms:
    """T{order} at the first layer, whose functions are the inputs themselves."""
    found = first_layer_diagrams(rule, kind, order)
    return Recursion(rule.first_layer, 0, tensor_of(kind), (order,), found).terms


def first_layer_poly(rule: Network, written: syntax.Component, labels: tuple[int, ...]) -> Poly:
    """A component of the first layer, an average of two inputs being their product ``xx`` over n_0."""

    def mono(term: Term) -> Mono:
        of_averages = [lines_of(item, labels) for item in term.averages]
        pairs = [tuple(sorted([*(label for label, _ in lines), *zeds])) for lines, zeds in of_averages]
        return Mono(scalars=term.couplings, marks=tuple(sorted((INPUT_PRODUCT, pair) for pair in pairs)))

    terms = first_layer(rule, tensor_named(written.name).kind, written.order)
    return collected((mono(term), coefficient) for term, coefficient in terms.items())


def clear() -> None:
    """Forget what was derived; needed only by those who change the engine, as a test does."""
    from pertheory.derive.layer import diagrams

    diagrams.cache_clear()
    forget()
