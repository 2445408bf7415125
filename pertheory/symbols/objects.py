"""What a recursion is made of, as sympy objects.

A tensor of a layer is a `LayerTensor`, an IndexedBase whose first index is the layer: ``V[ell, 1, 1, 3, 3]``, on one
input ``V[ell]``; a coefficient of 1/n has its order in the name, ``G{1}``. A Gaussian average over the fields of a
layer is an `Average`, a joint cumulant of several products a `Cumulant`. Hyperparameters and widths are plain symbols
of their names (``C_W``, ``n``, ``n_prev``), so that ``sympy.Symbol("C_W")`` is the same symbol.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sympy
from sympy.core.symbol import Str
from sympy.tensor.indexed import Indexed, IndexedBase

from pertheory.algebra.terms import Line
from pertheory.averages.atoms import expand
from pertheory.rulebook.names import checked
from pertheory.typeset.write import Bracket, LatexStyle, Piece, TextStyle

#: the layer below; a recursion gives a tensor of layer ``ELL + 1``
ELL = sympy.Symbol("ell", integer=True)
#: the width of the layer whose neurons are summed, and of the one below it
WIDTH, WIDTH_BELOW = sympy.Symbol("n"), sympy.Symbol("n_prev")
#: between the factors of a product, in LaTeX
THIN = r"\, "
#: the sample of everything on one input
ALONE = sympy.Integer(0)


class LayerTensor(IndexedBase):  # type: ignore[misc]
    """A tensor of every layer; its first index is the layer, the others are samples.

    Example:
        >>> LayerTensor("V")[ELL, 1, 1, 3, 3]
        V[ell, 1, 1, 3, 3]
    """

    def __getitem__(self, indices: Any, **_: Any) -> LayerComponent:
        """A component: the layer, then a sample for each slot."""
        return LayerComponent(self, *(indices if isinstance(indices, tuple | sympy.Tuple) else (indices,)))


class LayerComponent(Indexed):  # type: ignore[misc]
    """A component of a `LayerTensor`."""

    @property
    def name(self) -> str:
        """The tensor: "V"."""
        return str(self.base.label).partition("{")[0]

    @property
    def order(self) -> int:
        """Its order: 1 for "G{1}"."""
        return int(str(self.base.label).partition("{")[2].rstrip("}") or 0)

    @property
    def layer(self) -> sympy.Expr:
        """The layer that it belongs to."""
        return self.indices[0]

    @property
    def samples(self) -> tuple[sympy.Expr, ...]:
        """The sample in each slot; none on one input."""
        return tuple(self.indices[1:])

    def _sympystr(self, printer: Any) -> str:
        name = str(self.base.label)
        return f"{f'[{name}]' if ' ' in name else name}[{', '.join(map(printer.doprint, self.indices))}]"

    def _latex(self, printer: Any) -> str:
        head = LatexStyle().tensor(self.name, 0, ()).removesuffix("_{}")
        order = rf"\{{{self.order}\}}" if self.order else ""
        below = " ".join(printer.doprint(sample) for sample in self.samples)
        text = rf"{head}^{{{order}({printer.doprint(self.layer)})}}" + (f"_{{{below}}}" if below else "")
        return f"{{{text}}}"  # a power may follow


class Factor(NamedTuple):
    """What stands at one sample in an average.

    Attributes:
        sample: a number or a symbol; `ALONE` on one input.
        legs: how many derivatives stand in front of the product.
        lines: functions with the orders of their derivatives.
    """

    sample: sympy.Expr
    legs: int
    lines: tuple[Line, ...]


class Average(sympy.Expr):  # type: ignore[misc]
    """A Gaussian average over a field of a layer, whose covariance is K of that layer; make one with `average`.

    Example:
        >>> average(ELL, "z", [Factor(sympy.Integer(1), 0, (("s", 2),)), Factor(sympy.Integer(2), 0, (("s", 0),))])
        <s''_1 s_2>
    """

    is_commutative = True
    is_real = True

    @property
    def layer(self) -> sympy.Expr:
        """The layer whose fields are averaged over."""
        return self.args[0]

    @property
    def field(self) -> str:
        """The field that is averaged over."""
        return str(self.args[1])

    @property
    def factors(self) -> tuple[Factor, ...]:
        """What stands at each sample."""
        return tuple(Factor(own[0], int(own[1]), tuple(map(_line, own[2:]))) for own in self.args[2:])

    @property
    def free_symbols(self) -> set[Any]:
        """The layer and the samples; functions are names."""
        found: set[Any] = set(self.layer.free_symbols)
        return found.union(*(own.sample.free_symbols for own in self.factors))

    def derived(self, legs: int) -> sympy.Expr:
        """The average of a derivative of what stands at the only sample."""
        (own,) = self.factors
        return average(self.layer, self.field, [own._replace(legs=own.legs + legs)])

    def doit(self, **_: Any) -> sympy.Expr:
        """Derivatives in front of products carried out, by Leibniz's rule."""
        ways: list[tuple[int, list[Factor]]] = [(1, [])]
        for own in self.factors:
            carried = expand(own.legs, tuple(sorted(own.lines)))
            ways = [(n * m, [*done, Factor(own.sample, 0, lines)]) for n, done in ways for lines, m in carried]
        return sympy.Add(*(count * average(self.layer, self.field, own) for count, own in ways))

    def _sympystr(self, _: Any) -> str:
        return f"<{' '.join(self._written(TextStyle()))}>" + ("" if self.field == "z" else f"_{self.field}")

    _sympyrepr = _sympystr

    def _latex(self, printer: Any) -> str:
        style = LatexStyle()
        several = "" if self.field == "z" else f"_{{{style.field(self.field)}}}"
        under = rf"K{several}^{{({printer.doprint(self.layer)})}}"
        inside = THIN.join(self._written(style))
        return rf"\left\langle {inside} \right\rangle_{{{under}}}"

    def _written(self, style: TextStyle | LatexStyle) -> list[str]:
        """The factors in text or LaTeX."""
        found = []
        for sample, legs, lines in self.factors:
            label = "" if sample == ALONE else str(sample)
            field = "" if self.field == "z" else self.field
            product = [style.line(name, order, label, field) for name, order in lines]
            product = [text.removesuffix("_").removesuffix("_{}") for text in product]
            if isinstance(style, LatexStyle):
                power = f"^{{{legs}}}" if legs > 1 else ""
                front = rf"\partial{f'_{{{label}}}' if label else ''}{power}"
                found.append(rf"{front} \left({THIN.join(product)}\right)" if legs else THIN.join(product))
            else:
                front = f"d{f'_{label}' if label else ''}{f'^{legs}' if legs > 1 else ''}"
                found.append(f"{front} ({' '.join(product)})" if legs else " ".join(product))
        return found


class Cumulant(sympy.Expr):  # type: ignore[misc]
    """The joint cumulant of products over one neuron, as in the diagram form.

    It holds the layer, the field, the legs that act on the whole, and for each product its own legs and its lines; a
    leg is an index of a tensor beside it, summed over the samples on which it acts as a derivative.
    """

    is_commutative = True
    is_real = True

    @property
    def free_symbols(self) -> set[Any]:
        """The layer, the samples and the legs; functions are names."""
        own: set[Any] = set(self.args[0].free_symbols) | self.args[2].free_symbols
        for legs, *lines in self.args[3:]:
            own |= legs.free_symbols.union(*(line[0].free_symbols for line in lines))
        return own

    def _parts(self, style: TextStyle | LatexStyle) -> str:
        pieces = [
            Piece(tuple(map(str, legs)), tuple((str(f), int(order), str(sample)) for sample, f, order in lines))
            for legs, *lines in self.args[3:]
        ]
        legs, field = tuple(map(str, self.args[2])), str(self.args[1])
        if len(pieces) == 1:
            pieces, legs = [Piece(pieces[0].legs + legs, pieces[0].lines)], ()
        return style.bracket(Bracket(legs, tuple(pieces), "" if field == "z" else field))

    def _sympystr(self, _: Any) -> str:
        return self._parts(TextStyle())

    _sympyrepr = _sympystr

    def _latex(self, _: Any) -> str:
        return self._parts(LatexStyle())


def average(layer: Any, field: str, factors: Iterable[Factor]) -> sympy.Expr:
    """An average as a sympy object; one of nothing is 1."""
    made = [
        sympy.Tuple(
            own.sample,
            sympy.Integer(own.legs),
            *(sympy.Tuple(Str(checked(name)), sympy.Integer(order)) for name, order in own.lines),
        )
        for own in factors
        if own.lines
    ]
    return Average(layer, Str(checked(field)), *made) if made else sympy.Integer(1)


def sample_symbol(label: str) -> sympy.Expr:
    """A sample: numbers stay numbers, other labels are symbols of integers, so that n is not a width."""
    return sympy.Integer(int(label)) if label.isdecimal() else sympy.Symbol(label, integer=True)


def _line(pair: Any) -> Line:
    return str(pair[0]), int(pair[1])
