"""A recursion: a tensor one layer up as a sum over diagrams of tensors of the layer below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pertheory import html
from pertheory.algebra.terms import Term, Terms, add_terms
from pertheory.derive.diagram import Diagram, Diagrams
from pertheory.errors import InputError, PertheoryError
from pertheory.forms.expand import count_ways, expand
from pertheory.rulebook.names import shown
from pertheory.rulebook.network import AnyRule, Network, network
from pertheory.rulebook.observable import Observable
from pertheory.rulebook.tensors import AnyTensor, Tensor, any_tensor
from pertheory.rulebook.values import one_of, whole
from pertheory.store import Store
from pertheory.text import plural, shortened
from pertheory.worker import Node, Worker

if TYPE_CHECKING:
    from pertheory.symbols.formula import Formula
    from pertheory.typeset.explain import Explanation
    from pertheory.typeset.gallery import Gallery

#: Every order has several times the diagrams of the one before it; what is above would never end.
MOST_ORDER = 20


@dataclass(frozen=True, eq=False)
class Recursion:
    """T{k} of the layer above, for several k, as diagrams over tensors of the layer below.

    Shows itself as LaTeX in a notebook. Make one with `derive`. Two recursions are equal if they say the same of the
    same tensor, whatever their networks are called; their sum and difference are recursions again.

    Attributes:
        network: the rule it was derived from.
        sublayer: the step of the layer that it belongs to, from 0.
        tensor: what is derived, with the order of its slots.
        orders: the k of T{k}, ascending.
        diagrams: one for each orbit under the symmetry of the tensor; see `Diagram`.
        others: the other rules that a sum or difference was made of.
    """

    network: Network
    sublayer: int
    tensor: Tensor
    orders: tuple[int, ...]
    diagrams: tuple[Diagram, ...]
    others: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "diagrams", Diagrams(self.diagrams))

    @property
    def networks(self) -> tuple[Network, ...]:
        """Every rule that it was derived from."""
        return (self.network, *self.others)

    @property
    def is_exact(self) -> bool:
        """Whether no rule was derived with pairs only, as an approximation."""
        return all(rule.closure == "exact" for rule in self.networks)

    @property
    def has_several_fields(self) -> bool:
        """Whether an average has to say which field it is over."""
        return any(rule.has_several_fields for rule in self.networks)

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

    @cached_property
    def ways(self) -> int:
        """How many terms `terms` adds up: what expanding costs, counted without doing it."""
        return sum(map(count_ways, self.diagrams))

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

        self._refuse_several("cannot be explained; explain a term of each")
        return explain(self, term)

    def formula(self, form: str = "expanded") -> Formula:
        """The recursion as a `pertheory.symbols.formula.Formula`, to substitute into, collect and export.

        Args:
            form: "expanded", every average spelled out for distinct samples; or "diagram", where an index that occurs
                twice is a leg: summed over the samples on which it acts as a derivative.
        """
        from pertheory.symbols.recursions import formula

        return formula(self, form)

    def to_sympy(self, form: str = "expanded") -> Any:
        """The right-hand side as a sympy expression; of several orders the sum of T{k} / n^k.

        Tensors are ``V[ell, 1, 1, 3, 3]`` (`pertheory.symbols.objects.LayerTensor`), averages
        `pertheory.symbols.objects.Average`, hyperparameters and widths symbols of their names.
        """
        return self.formula(form).to_sympy()

    def where(self, *equalities: str) -> Formula:
        """The formula where some slots carry the same input.

        Args:
            equalities: such as ``"1=2"`` or ``"1=2=3"``, in the labels of the slots.

        Raises:
            InputError: a label that is no slot.

        Example:
            >>> derive("mlp", "K").where("1=2").to_sympy()
            C_W*<s_1 s_1> + C_b
        """
        from pertheory.symbols.recursions import where

        return where(self, equalities)

    def single_input(self) -> Formula:
        """The formula on one input, in chi_parallel, chi_perp, h, g and averages, as the book writes it.

        What the names stand for comes out of the derived recursions of K, G{1} and Theta of the same network; they are
        the `definitions` of the formula.

        Raises:
            InputError: a difference between networks has no names of its own.

        Example:
            >>> print(derive("mlp", "Theta").single_input())
            Theta[ell + 1] = chi_perp*Theta[ell] + g*lambda_W + lambda_b
            where chi_perp = C_W*<s' s'>
            where g = <s s>
        """
        from pertheory.symbols.recursions import single_input

        self._refuse_several("has no names of its own; take the difference of two formulas on one input")
        if "z" not in [name for name, _ in self.network.sublayers[self.sublayer].fields]:
            return single_input(self, ())
        names = ("G", "G{1}", "Theta") if self.network.is_trained else ("G", "G{1}")
        return single_input(self, [derive(self.network, name, sublayer=self.sublayer) for name in names])

    def for_activation(self, activation: Any, **parameters: Any) -> Formula:
        """The formula for distinct samples with averages in closed form.

        Args:
            activation: a name, a formula, a file or an `Activation`.
            parameters: of the activation.

        Raises:
            UnsupportedError: an average has no closed form; on one input, with `single_input`, there may be one.
        """
        return self.formula().for_activation(activation, **parameters)

    def subs(self, values: Any = None, **named: Any) -> Formula:
        """`Formula.subs` of the expanded form."""
        return self.formula().subs(values, **named)

    def collect(self, *names: Any) -> Formula:
        """`Formula.collect` of the expanded form."""
        return self.formula().collect(*names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recursion):
            return NotImplemented
        if self._subject != other._subject:
            return False
        return self.diagrams == other.diagrams or self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self._subject)

    @property
    def _subject(self) -> tuple[Any, ...]:
        """What it is about."""
        return self.tensor.kind, self.tensor.slots, self.orders

    def __add__(self, other: object) -> Recursion:
        return self._combined(other, 1) if isinstance(other, Recursion) else NotImplemented

    def __neg__(self) -> Recursion:
        negated = tuple(diagram._replace(coefficient=-diagram.coefficient) for diagram in self.diagrams)
        return replace(self, diagrams=negated)

    def __sub__(self, other: object) -> Recursion:
        """The difference as diagrams: those of one formula are subtracted, what both have is gone."""
        return self._combined(other, -1) if isinstance(other, Recursion) else NotImplemented

    def _combined(self, other: Recursion, sign: int) -> Recursion:
        if self._subject != other._subject:
            raise InputError(
                f"recursions of {self.tensor.name} and of {other.tensor.name} cannot be added: derive the same tensor, "
                "its slots and orders the same"
            )
        total: dict[Any, Diagram] = {}
        for weight, own in ((1, self), (sign, other)):
            for diagram in own.diagrams:
                key = diagram.formula_key
                before = total[key].coefficient if key in total else 0
                total[key] = diagram._replace(coefficient=before + weight * diagram.coefficient)
        left = tuple(diagram for diagram in total.values() if diagram.coefficient)
        networks = tuple(dict.fromkeys((*self.networks, *other.networks)))
        return replace(self, network=networks[0], others=networks[1:], diagrams=left)

    def _refuse_several(self, why: str) -> None:
        if self.others:
            raise InputError(f"a sum or difference of {' and '.join(rule.name for rule in self.networks)} {why}")

    def __len__(self) -> int:
        return len(self.diagrams)

    def to_text(self, form: str = "diagram") -> str:
        """The recursion as plain text; ``form`` is "diagram" or "expanded"."""
        from pertheory.typeset.write import TextStyle, write

        return write(self, TextStyle(), form)

    def to_latex(self, form: str = "diagram") -> str:
        """The recursion as LaTeX (an ``aligned`` environment); ``form`` is "diagram", "expanded" or "paper".

        For a paper tensors, averages, hyperparameters and widths carry their layers, and every term is written out.
        """
        from pertheory.typeset.write import FORMS, LatexStyle, write

        if one_of((*FORMS, "paper"), form, "form") == "paper":
            return self.formula().to_latex()
        return write(self, LatexStyle(), form)

    def draw(self) -> Gallery:
        """Its diagrams as pictures with the formula below each; shows itself in a notebook, and writes SVG, HTML, TikZ.

        docs/pictures.md tells how to read a picture.
        """
        from pertheory.typeset.gallery import Gallery

        return Gallery(self)

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

    def _repr_html_(self) -> str:
        gallery = self.draw()
        hidden = f"{plural(len(self), 'diagram')} as pictures"
        return html.formula(self.to_latex()) + html.folded(hidden, html.Html(gallery.figures()))

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
        InputError: unknown tensor, malformed observable, an order that is negative or above `MOST_ORDER`.

    Example:
        >>> derive("mlp", "G").terms.__len__()
        2
    """
    chosen_rule = read_rule(rule, what)
    tensor, fixed = any_tensor(what, pairs)
    if pairs is not None and not isinstance(what, Observable):
        raise InputError(f"pairs belong to an Observable; {tensor.name} has its own")
    order = check_order(order)
    last = len(chosen_rule.sublayers) - 1
    step = _making(chosen_rule, tensor.kind.fields) if sublayer is None else whole(sublayer, "sublayer", 0, last)
    made = [name for name, _ in chosen_rule.sublayers[step].fields]
    for field in tensor.kind.fields:
        if field not in made:
            raise InputError(f"network {chosen_rule.name} has no field {field!r} here; it has {', '.join(made)}")
    orders = tuple(range(order + 1)) if fixed is None else (check_order(fixed, f"the order of {tensor.name}"),)
    nodes = [Node(step, tensor.kind, k) for k in orders]
    found = Worker(chosen_rule, executor, store).gather(nodes)
    return Recursion(chosen_rule, step, tensor, orders, tuple(d for own in found.values() for d in own))


def check_order(order: Any, what: str = "order") -> int:
    """An order up to which recursions can be derived.

    Raises:
        InputError: it is none, or above `MOST_ORDER`.
    """
    return whole(order, what, 0, MOST_ORDER)


def read_rule(rule: Any, what: Any) -> Network:
    """The network of a call, with a word where the tensor stands in its place.

    Raises:
        InputError: no such network, or swapped arguments.
        RuleError: the rule file is wrong, a function that it fixes as well, or the network is not sound.
    """
    try:
        found = network(rule)
    except InputError:
        if isinstance(rule, Tensor | Observable | tuple) or _is_network(what):
            raise InputError(
                "arguments are swapped: the network comes first, then the tensor, as in derive('mlp', 'V')"
            ) from None
        raise
    if found.activations:
        from pertheory.functions.chosen import fixed_functions  # which loads NumPy

        fixed_functions(found)
    return found


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
