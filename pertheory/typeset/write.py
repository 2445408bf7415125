"""Recursions as text and as LaTeX, in diagram form (compact) and in expanded form (every average spelled out).

In diagram form an index b1, b2, ... of a tensor is a leg: summed over the samples on which it acts as a derivative.
Several products in one average, separated by semicolons, are a joint cumulant. A derivative in front of the bracket
acts on the whole of it, the two legs of a pair always on the same average. A leg written behind a product, as in
<s_1 s_2 ; s'_3 s'_4 |b1>, belongs to that product: it derives the whole average in which the product ends up when the
cumulant is written out. Where a rule has several fields an average is marked with the one it is over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pertheory.algebra.monomial import Powers
from pertheory.algebra.terms import Term, sorted_terms
from pertheory.derive.diagram import Diagram
from pertheory.errors import InputError
from pertheory.graphs.tensor import TensorType, symmetry_elements
from pertheory.rulebook.names import checked
from pertheory.rulebook.network import IDENTITY
from pertheory.rulebook.tensors import tensor_of
from pertheory.text import latex_text
from pertheory.typeset.components import written

if TYPE_CHECKING:
    from pertheory.recursion import Recursion

FORMS = ("diagram", "expanded")
#: Derivatives of a product of identities that are carried out; each way is written out once.
MOST_DELTAS = 4
#: what every output says for a rule that is not sound
APPROXIMATION = "approximation: pairs only, the rule is not sound"


class Piece(NamedTuple):
    """One product in an average: derivatives in front, then (function, derivative order, sample label)."""

    legs: tuple[str, ...]
    lines: tuple[tuple[str, int, str], ...]


class Bracket(NamedTuple):
    """An average.

    Attributes:
        legs: derivatives of the whole.
        pieces: the products whose joint cumulant it is; one for a plain average.
        field: what it is over, in a rule with several fields; else empty.
    """

    legs: tuple[str, ...]
    pieces: tuple[Piece, ...]
    field: str = ""


class Style(Protocol):
    """How the parts of a formula look in one language."""

    def coefficient(self, value: Fraction, couplings: Powers, width_power: int) -> str:
        """Sign, number, hyperparameters and width ratio."""

    def tensor(self, name: str, order: int, indices: Sequence[str]) -> str:
        """A component of a tensor."""

    def bracket(self, bracket: Bracket) -> str:
        """An average."""

    def left_side(self, name: str, orders: Sequence[int], indices: Sequence[str]) -> str:
        """What the recursion is for."""

    def permutations(self, images: Sequence[str]) -> str:
        """That the term stands for itself and its images under the symmetry."""

    def assemble(self, left: str, terms: Sequence[tuple[int, str]]) -> str:
        """The whole recursion from (order, term)."""

    def remark(self, text: str) -> str:
        """A line that is not part of the formula."""


class TextStyle:
    """Plain text, ASCII only."""

    def coefficient(self, value: Fraction, couplings: Powers, width_power: int) -> str:
        """As in ``+ 1/4 C_W^2 (n/n_prev)``."""
        parts = [] if abs(value) == 1 and (couplings or width_power) else [str(abs(value))]
        parts += [name if power == 1 else f"{name}^{power}" for name, power in couplings]
        if width_power:
            parts.append("(n/n_prev)" + (f"^{width_power}" if width_power > 1 else ""))
        return ("- " if value < 0 else "+ ") + " ".join(parts)

    def tensor(self, name: str, order: int, indices: Sequence[str]) -> str:
        """As in ``V(1,1,3,3)`` or ``G{1}(1,2)``."""
        own = name + (f"{{{order}}}" if order else "")
        return f"[{own}]({','.join(indices)})" if " " in name else f"{own}({','.join(indices)})"

    def bracket(self, bracket: Bracket) -> str:
        """As in ``<d_b1 d_b2 (s_1 s_2)>``, or ``<s_1 s_2>_u`` over the field u."""
        inside = []
        for piece in bracket.pieces:
            product = " ".join(self.line(*line, bracket.field) for line in piece.lines)
            if len(bracket.pieces) > 1:
                inside.append(" ".join([product, *(f"|{leg}" for leg in piece.legs)]))
                continue
            legs = " ".join(f"d_{leg}" for leg in piece.legs)
            inside.append(f"{legs} ({product})" if legs else product)
        text = "<" + " ; ".join(inside) + ">" + (f"_{bracket.field}" if bracket.field else "")
        return " ".join([*(f"d_{leg}" for leg in bracket.legs), text])

    def line(self, function: str, order: int, label: str, field: str = "") -> str:
        """As in ``s''_1``; the identity is the field itself."""
        name = field or "z" if function == IDENTITY else function
        return f"{name}{chr(39) * order if order < 4 else f'^({order})'}_{label}"

    def left_side(self, name: str, orders: Sequence[int], indices: Sequence[str]) -> str:
        """As in ``V'(1,2,3,4)``."""
        shown = f"[{name}]" if " " in name else name
        return f"{shown}'({','.join(indices)})"

    def permutations(self, images: Sequence[str]) -> str:
        """As in ``+ 2 permutations: 2134, 1243``."""
        return f"[and with the slots as {', '.join(images)}]"

    def remark(self, text: str) -> str:
        """A comment line."""
        return f"# {text}"

    def assemble(self, left: str, terms: Sequence[tuple[int, str]]) -> str:
        """One term a line, one block an order."""
        lines = []
        for order in sorted({order for order, _ in terms}):
            lines.append(f"{left}{{{order}}} =")
            lines += [f"    {term}" for own, term in terms if own == order]
        return "\n".join(lines) if lines else f"{left} = 0"


_GREEK = {"lambda": r"\lambda", "gamma": r"\gamma", "alpha": r"\alpha", "beta": r"\beta"}
_LATEX_NAMES = {"Theta": r"\Theta", "V6": "V_6", "ddH_I": r"\mathrm{dd}_I H"}


class LatexStyle:
    """LaTeX with standard commands only (amsmath for ``aligned``)."""

    def symbol(self, name: str) -> str:
        """A hyperparameter: ``C_W``, ``lambda_b``."""
        head, _, index = checked(name).partition("_")
        inner = index if "_" not in index else rf"\mathrm{{{latex_text(index)}}}"
        return _GREEK.get(head, head) + (f"_{{{inner}}}" if index else "")

    def coefficient(self, value: Fraction, couplings: Powers, width_power: int) -> str:
        """As in ``+ \\frac{1}{4} C_{W}^{2} \\frac{n}{n'}``."""
        size = abs(value)
        number = str(size) if size.denominator == 1 else rf"\frac{{{size.numerator}}}{{{size.denominator}}}"
        parts = [] if size == 1 and (couplings or width_power) else [number]
        for name, power in couplings:
            parts.append(self.symbol(name) + (f"^{{{power}}}" if power > 1 else ""))
        if width_power:
            ratio = r"\frac{n}{n_{\mathrm{prev}}}"
            parts.append(ratio if width_power == 1 else rf"\left({ratio}\right)^{{{width_power}}}")
        return ("- " if value < 0 else "+ ") + r"\, ".join(parts)

    def tensor(self, name: str, order: int, indices: Sequence[str]) -> str:
        """As in ``V_{1 1 3 3}`` with the order as ``^{\\{1\\}}``."""
        shown = _LATEX_NAMES.get(name, name)
        if " " in name or "(" in name:
            shown = rf"\left[\text{{{latex_text(name)}}}\right]"
        elif "_" in shown:
            shown = f"{{{shown}}}"
        elif shown == name and len(name) > 1:  # a word, not a product of letters
            shown = rf"\mathrm{{{name}}}"
        order_mark = rf"^{{\{{{order}\}}}}" if order else ""
        return f"{shown}{order_mark}_{{{' '.join(self.index(i) for i in indices)}}}"

    def index(self, label: str) -> str:
        """A leg b3 becomes beta_3; samples stay as they are."""
        return rf"\beta_{{{label[1:]}}}" if len(label) > 1 and label[0] == "b" else label

    def bracket(self, bracket: Bracket) -> str:
        """As in ``\\langle \\partial_{\\beta_1} (\\sigma_1 \\sigma_2) \\rangle``."""
        inside = []
        for piece in bracket.pieces:
            product = r"\, ".join(self.line(*line, bracket.field) for line in piece.lines)
            if len(bracket.pieces) > 1:
                marks = " ".join(self.index(leg) for leg in piece.legs)
                inside.append(product + (rf" \big|_{{{marks}}}" if marks else ""))
                continue
            legs = " ".join(rf"\partial_{{{self.index(leg)}}}" for leg in piece.legs)
            inside.append(rf"{legs} \left({product}\right)" if legs else product)
        text = r"\left\langle " + r" \,;\, ".join(inside) + r" \right\rangle"
        if bracket.field:
            text += f"_{{{self.field(bracket.field)}}}"
        return " ".join([*(rf"\partial_{{{self.index(leg)}}}" for leg in bracket.legs), text])

    def field(self, name: str) -> str:
        """A field: a letter stays as it is."""
        return name if len(name) == 1 else rf"\mathrm{{{latex_text(name)}}}"

    def line(self, function: str, order: int, label: str, field: str = "") -> str:
        """As in ``\\sigma''_{1}``; the identity is the field itself."""
        known = {"s": r"\sigma", IDENTITY: self.field(field or "z")}
        name = known.get(function, rf"\mathrm{{{latex_text(function)}}}")
        mark = "'" * order if order < 4 else f"^{{({order})}}"
        return f"{name}{mark}_{{{label}}}"

    def left_side(self, name: str, orders: Sequence[int], indices: Sequence[str]) -> str:
        """The tensor of the layer above, marked by its layer."""
        return self.tensor(name, 0, indices)

    def permutations(self, images: Sequence[str]) -> str:
        """The number of images that are added."""
        return rf"+ \left(\text{{{len(images)} more by symmetry: {', '.join(images)}}}\right)"

    def remark(self, text: str) -> str:
        """A comment line."""
        return f"% {text}"

    def assemble(self, left: str, terms: Sequence[tuple[int, str]]) -> str:
        """An ``aligned`` environment, one line a term."""
        base, _, indices = left.rpartition("_{")
        lines = []
        for order in sorted({order for order, _ in terms}):
            own = [term for k, term in terms if k == order]
            name = rf"{base}^{{(\ell+1)\{{{order}\}}}}_{{{indices}"
            lines.append(f"{name} &= {own[0].removeprefix('+ ')}")
            lines += [rf"&\quad {term}" for term in own[1:]]
        if not lines:
            return f"{left} = 0"
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def write(recursion: Recursion, style: Style, form: str = "diagram") -> str:
    """A recursion in a style.

    Args:
        recursion: what to write.
        style: `TextStyle` or `LatexStyle`.
        form: "diagram" or "expanded".
    """
    if form not in FORMS:
        raise InputError(f"form must be one of {', '.join(FORMS)}, not {form!r}")
    tensor = recursion.tensor
    left = style.left_side(tensor.name, recursion.orders, tensor.labels)
    terms = _diagram_terms(recursion, style) if form == "diagram" else _expanded_terms(recursion, style)
    text = style.assemble(left, terms)
    return text if recursion.is_exact else f"{style.remark(APPROXIMATION)}\n{text}"


def _name(name: str, leading: str, order: int) -> str:
    return leading if leading and order == 0 else name


def _expanded_terms(recursion: Recursion, style: Style) -> list[tuple[int, str]]:
    return [(term.order, term_text(recursion, term, c, style)) for term, c in sorted_terms(recursion.terms)]


def term_text(recursion: Recursion, term: Term, coefficient: Fraction, style: Style) -> str:
    """One term of the expanded form."""
    labels = recursion.tensor.labels
    parts = [style.coefficient(coefficient, term.couplings, term.width_power)]
    for component in term.tensors:
        tensor, order, slots = written(*component)
        parts.append(style.tensor(_name(tensor.name, tensor.leading, order), order, [labels[s] for s in slots]))
    for average in term.averages:
        pieces = tuple(
            (function, order, labels[sample]) for sample, _, lines in average.factors for function, order in lines
        )
        parts.append(style.bracket(Bracket((), (Piece((), pieces),), _field(recursion, average.field))))
    return " ".join(parts)


def _field(recursion: Recursion, field: str) -> str:
    """The field of an average, where it has to be told."""
    return field if recursion.has_several_fields else ""


def _diagram_terms(recursion: Recursion, style: Style) -> list[tuple[int, str]]:
    return [(diagram.order, diagram_text(recursion, diagram, style)) for diagram in recursion.diagrams]


def diagram_text(recursion: Recursion, diagram: Diagram, style: Style) -> str:
    """One diagram, with a note on the others of its orbit."""
    labels = recursion.tensor.labels
    label = [labels[slot] for slot in recursion.slot_of_vertex]
    deltas = [
        _deltas(_neuron_bracket(diagram, n, label, range(len(diagram.legs)))) for n in range(len(diagram.neurons))
    ]
    taken = {leg for ways in deltas for leg in (ways[0] if ways else ())}
    left = [leg for leg in range(len(diagram.legs)) if leg not in taken]
    legs = [f"b{left.index(leg) + 1}" if leg in left else "" for leg in range(len(diagram.legs))]
    tensors: Counter[str] = Counter()
    for choice in product(*(ways for ways in deltas if ways)):
        named = legs.copy()
        for leg, sample in (item for way in choice for item in way.items()):
            named[leg] = sample
        tensors[" ".join(_inserted(diagram, label, named, style))] += 1
    same = min(tensors.values())
    parts = [style.coefficient(diagram.coefficient * same, diagram.couplings, diagram.width_power)]
    if diagram.vertices:
        written = [text if count == same else f"{Fraction(count, same)} {text}" for text, count in tensors.items()]
        parts.append(written[0] if len(written) == 1 else f"({' + '.join(written)})")
    for number, ways in enumerate(deltas):
        if ways is None:
            bracket = _neuron_bracket(diagram, number, label, legs)
            parts.append(style.bracket(bracket._replace(field=_field(recursion, diagram.fields[number]))))
    if diagram.orbit_size > 1:
        images = ["".join(_image_labels(recursion, image)) for image in diagram.images[1:]]
        parts.append(style.permutations(images))
    return " ".join(parts)


def _inserted(diagram: Diagram, label: Sequence[str], legs: Sequence[str], style: Style) -> Iterator[str]:
    """The tensors of a diagram, each in the nicest order of its indices."""
    for kind, order, slots in diagram.vertices:
        tensor = tensor_of(kind)
        named = [label[slots[v]] if slots[v] >= 0 else legs[~slots[v]] for v in range(kind.size)]
        indices = min([tuple([named[g[v]] for v in tensor.slots]) for g in _symmetries(kind)], key=_index_order)
        yield style.tensor(_name(tensor.name, tensor.leading, order), order, indices)


def _deltas(bracket: Bracket) -> list[dict[Any, str]] | None:
    """The samples that the legs take, each way, where identities are derived as often as there are factors."""
    piece = bracket.pieces[0]
    plain = len(bracket.pieces) == 1 and all(line[:2] == (IDENTITY, 0) for line in piece.lines)
    if not plain or len(piece.legs) != len(piece.lines) or len(piece.legs) > MOST_DELTAS:
        return None
    return [dict(zip(piece.legs, order, strict=True)) for order in permutations(line[2] for line in piece.lines)]


def _symmetries(kind: TensorType) -> Sequence[Sequence[int]]:
    """The slot orders among which the nicest is shown; of large groups only the identity."""
    return symmetry_elements(kind) if kind.size <= 6 else (tuple(range(kind.size)),)


def _index_order(indices: Sequence[str]) -> list[tuple[int, str]]:
    return [(len(index), index) for index in indices]


def _image_labels(recursion: Recursion, image: Sequence[int]) -> list[str]:
    """The labels that stand in the places of the slots in an image."""
    slot, labels = recursion.slot_of_vertex, recursion.tensor.labels
    return [labels[slot[image[vertex]]] for vertex in recursion.tensor.slots]


def _neuron_bracket(diagram: Diagram, number: int, label: Sequence[str], legs: Sequence[Any]) -> Bracket:
    pieces = []
    for index, site in enumerate(diagram.neurons[number]):
        lines = []
        for vertex in sorted(site, key=lambda v: label[v]):
            function, order = diagram.lines[vertex] or ("", 0)
            lines.append((function, order, label[vertex]))
        own = tuple(legs[i] for i, leg in enumerate(diagram.legs) if leg == (number, index))
        factors = [line for line in lines if line[:2] != (IDENTITY, 1)]  # z' = 1
        pieces.append(Piece(own, tuple(factors if len(diagram.neurons[number]) == 1 else factors or lines)))
    whole = tuple(legs[i] for i, leg in enumerate(diagram.legs) if leg == (number, -1))
    if len(pieces) == 1:
        only = pieces[0]
        return Bracket((), (Piece(only.legs + whole, only.lines),))
    return Bracket(whole, tuple(pieces))
