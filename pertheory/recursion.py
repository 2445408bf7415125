"""A recursion: a tensor one layer up as a sum over diagrams of tensors of the layer below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pertheory.algebra.terms import Term, Terms, add_terms
from pertheory.derive.diagram import Diagram
from pertheory.errors import InputError, PertheoryError
from pertheory.forms.expand import expand
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import AnyRule, Network, network
from pertheory.rulebook.observable import Observable
from pertheory.rulebook.tensors import AnyTensor, Tensor, any_tensor
from pertheory.rulebook.values import whole
from pertheory.store import Store
from pertheory.text import plural, shortened
from pertheory.worker import Node, Worker

if TYPE_CHECKING:
    from pertheory.typeset.explain import Explanation


@dataclass(frozen=True)
class Recursion:
    """T{k} of the layer above, for several k, as diagrams over tensors of the layer below.

    Shows itself as LaTeX in a notebook. Make one with `derive`.

    Attributes:
        network: the rule it was derived from.
        sublayer: the step of the layer that it belongs to, from 0.
        tensor: what is derived, with the order of its slots.
        orders: the k of T{k}, ascending.
        diagrams: one for each orbit under the symmetry of the tensor; see `Diagram`.
    """

    network: Network
    sublayer: int
    tensor: Tensor
    orders: tuple[int, ...]
    diagrams: tuple[Diagram, ...]

    @cached_property
    def slot_of_vertex(self) -> tuple[int, ...]:
        """The slot in which each vertex of the type stands."""
        place = [0] * self.tensor.kind.size
        for slot, vertex in enumerate(self.tensor.slots):
            place[vertex] = slot
        return tuple(place)

    @cached_property
    def terms(self) -> Terms:
        """The expanded form for distinct samples; samples are slot numbers from 0."""
        return add_terms(item for diagram in self.diagrams for item in self.expanded(diagram).items())

    def expanded(self, diagram: Diagram) -> Terms:
        """One of the `diagrams` (with its orbit) as terms, all samples distinct."""
        return expand(diagram, self.slot_of_vertex)

    def terms_where(self, pattern: Sequence[int]) -> Terms:
        """The terms where some slots carry the same input; legs stay in front of products at one input.

        Args:
            pattern: for each slot the first slot with the same input.

        Raises:
            InputError: it is no such pattern.
        """
        size = self.tensor.kind.size
        try:
            first = [whole(slot, "a slot", 0, size - 1) for slot in pattern]
        except (TypeError, InputError):
            first = []
        if len(first) != size or any(one > slot or first[one] != one for slot, one in enumerate(first)):
            raise InputError(
                f"pattern must name for each of the {size} slots the first one with the same input, such as "
                f"{(0,) * size}, not {shown(pattern)}"
            )
        samples = [first[slot] for slot in self.slot_of_vertex]
        return add_terms(item for diagram in self.diagrams for item in expand(diagram, samples).items())

    @property
    def single_input_terms(self) -> Terms:
        """The terms when every slot carries the same input."""
        return self.terms_where([0] * self.tensor.kind.size)

    @property
    def all_diagrams(self) -> tuple[Diagram, ...]:
        """Every diagram by itself, not one for each orbit: each with a single image, which renames its vertices."""
        return tuple(diagram._replace(images=(image,)) for diagram in self.diagrams for image in diagram.images)

    def explain(self, term: int | Diagram | Term) -> Explanation:
        """How a term came about: the choice made in each of the six moves, in words and as graphs.

        Args:
            term: a term of the expanded form, or its number from 1 in ``to_text("expanded")`` and in the JSON form;
                or one of `diagrams`.

        Raises:
            InputError: there is no such term.
        """
        from pertheory.typeset.explain import explain

        return explain(self, term)

    def __len__(self) -> int:
        return len(self.diagrams)

    def to_text(self, form: str = "diagram") -> str:
        """The recursion as plain text; ``form`` is "diagram" or "expanded"."""
        from pertheory.typeset.write import TextStyle, write

        return write(self, TextStyle(), form)

    def to_latex(self, form: str = "diagram") -> str:
        """The recursion as LaTeX (an ``aligned`` environment); ``form`` is "diagram" or "expanded"."""
        from pertheory.typeset.write import LatexStyle, write

        return write(self, LatexStyle(), form)

    def to_json(self) -> dict[str, Any]:
        """The expanded form in the schema ``pertheory.recursion/1``."""
        from pertheory.typeset.record import record

        return record(self)

    def __repr__(self) -> str:
        orders = ",".join(map(str, self.orders))
        name = shortened(self.tensor.name, 120)
        return f"Recursion({name}{{{orders}}} of {self.network.name}: {plural(len(self), 'diagram')})"

    def __str__(self) -> str:
        return self.to_text()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"


def derive(
    rule: AnyRule,
    what: AnyTensor,
    pairs: Iterable[Sequence[object]] | None = None,
    order: int = 0,
    sublayer: int | None = None,
    *,
    executor: Executor | None = None,
    store: Store | None = None,
) -> Recursion:
    """Derive the recursion of a tensor from the definition of the network.

    Args:
        rule: a `Network`, the name of one, or the path of a rule file.
        what: a name (``"V"``, ``"K"``, ``"V{1}"``), an observable with pairs (``"z(1) z(2) @ 12"``), an
            `Observable` together with ``pairs``, or the two as ``(observable, pairs)``.
        pairs: the labels that share a neuron, for an `Observable`.
        order: derive T{0}, ..., T{order}, coefficients of powers of one over the width below.
        sublayer: which step of the layer, from 0; by default the last one that makes the fields of the tensor.
        executor: derives several orders in parallel; the result does not depend on it.
        store: reads and keeps derived diagrams on disk.

    Returns:
        The `Recursion`.

    Raises:
        InputError: unknown tensor, malformed observable, negative order.

    Example:
        >>> derive("mlp", "G").terms.__len__()
        2
    """
    chosen_rule = read_rule(rule, what)
    tensor, fixed = any_tensor(what, pairs)
    if pairs is not None and not isinstance(what, Observable):
        raise InputError(f"pairs belong to an Observable; {tensor.name} has its own")
    order = whole(order, "order")
    last = len(chosen_rule.sublayers) - 1
    step = _making(chosen_rule, tensor.kind.fields) if sublayer is None else whole(sublayer, "sublayer", 0, last)
    made = [name for name, _ in chosen_rule.sublayers[step].fields]
    for field in tensor.kind.fields:
        if field not in made:
            raise InputError(f"network {chosen_rule.name} has no field {field!r} here; it has {', '.join(made)}")
    orders = (fixed,) if fixed is not None else tuple(range(order + 1))
    nodes = [Node(step, tensor.kind, k) for k in orders]
    found = Worker(chosen_rule, executor, store).gather(nodes)
    return Recursion(chosen_rule, step, tensor, orders, tuple(d for own in found.values() for d in own))


def read_rule(rule: Any, what: Any) -> Network:
    """The network of a call, with a word where the tensor stands in its place.

    Raises:
        InputError: no such network, or swapped arguments.
        RuleError: the rule file is wrong or the network is not sound.
    """
    try:
        return network(rule)
    except InputError:
        if isinstance(rule, Tensor | Observable | tuple) or _is_network(what):
            raise InputError(
                "arguments are swapped: the network comes first, then the tensor, as in derive('mlp', 'V')"
            ) from None
        raise


def _is_network(value: Any) -> bool:
    try:
        network(value)
    except PertheoryError:
        return False
    return True


def _making(rule: Network, fields: Iterable[str]) -> int:
    """The last sublayer that makes all the fields; the last one of all if none does."""
    last = len(rule.sublayers) - 1
    for step in range(last, -1, -1):
        if set(fields) <= {name for name, _ in rule.sublayers[step].fields}:
            return step
    return last
