"""A formula for a tensor of the next layer, as sympy expressions that people substitute into, collect and compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sympy

from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.chosen import choose_functions
from pertheory.progress import progress
from pertheory.rulebook.files import nearest
from pertheory.rulebook.names import shown
from pertheory.rulebook.tensors import any_tensor
from pertheory.rulebook.values import whole
from pertheory.symbols.conversion import kernel
from pertheory.symbols.objects import ELL, WIDTH, Average, LayerComponent, LayerTensor
from pertheory.typeset.components import images
from pertheory.typeset.write import APPROXIMATION

if TYPE_CHECKING:
    from pathlib import Path

    from pertheory.functions.activation import Activation
    from pertheory.rulebook.network import Network


@dataclass(frozen=True, eq=False)
class Formula:
    """What a tensor of layer ``ell + 1`` is, in terms of layer ``ell``, for each order in 1/n.

    Everything is a sympy expression, so that sympy's own functions work on what `to_sympy` returns; the symbols are
    those of `pertheory.symbols.objects`. Made by `Recursion.formula`, `where`, `single_input` and `for_activation`.

    Attributes:
        networks: the rules it was derived from; several for a difference of networks.
        left: T{k} of layer ``ell + 1``, by k.
        right: what it is, by k.
        definitions: what the names in it stand for, such as chi_parallel.
        form: "expanded", or "diagram": indices that occur twice are summed over.
    """

    networks: tuple[Network, ...]
    left: Mapping[int, LayerComponent]
    right: Mapping[int, sympy.Expr]
    definitions: Mapping[sympy.Symbol, sympy.Expr] = field(default_factory=dict)
    form: str = "expanded"

    @property
    def network(self) -> str:
        """The names of the rules."""
        return ", ".join(rule.name for rule in self.networks)

    @property
    def orders(self) -> tuple[int, ...]:
        """The k of T{k}, ascending."""
        return tuple(self.right)

    @property
    def is_exact(self) -> bool:
        """Whether no rule was derived with pairs only, as an approximation."""
        return all(rule.closure == "exact" for rule in self.networks)

    def to_sympy(self) -> sympy.Expr:
        """The right-hand side; of several orders the sum of T{k} / n^k, with n the width of layer ``ell``."""
        if len(self.right) == 1:
            return next(iter(self.right.values()))
        return sympy.Add(*(value / WIDTH**order for order, value in self.right.items()))

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """An equation for each order."""
        return tuple(sympy.Eq(self.left[order], value, evaluate=False) for order, value in self.right.items())

    def __getitem__(self, order: int) -> sympy.Expr:
        """The right-hand side of one order."""
        if order not in self.right:
            raise InputError(f"order {shown(order)} is not in this formula; it has {', '.join(map(str, self.right))}")
        return self.right[order]

    def subs(self, values: Mapping[Any, Any] | None = None, **named: Any) -> Formula:
        """Put numbers or expressions in the place of hyperparameters, widths, names, tensors and averages, all at once.

        Args:
            values: by name or by sympy expression; numbers or sympy expressions. A component of a tensor is meant in
                every order of its slots that its symmetry allows.
            named: the same by name, ``subs(C_W=2)``.

        Raises:
            InputError: what does not occur or is given twice, or a value that is neither.

        Example:
            >>> import pertheory as pt
            >>> pt.derive("mlp", "K").formula().subs(C_b=0, C_W=2).to_sympy()
            2*<s_1 s_2>
        """
        if not isinstance(values, Mapping | None):
            raise InputError(f"values are a mapping such as {{'C_W': 2}}, not {shown(values)}")
        pairs: dict[sympy.Expr, sympy.Expr] = {}
        for key, value in [*(values or {}).items(), *named.items()]:
            for symbol in self._meant(key):
                if symbol in pairs:
                    raise InputError(f"{symbol} is given twice")
                pairs[symbol] = _value(value, key)
        taken = set().union(*(value.free_symbols for value in pairs.values())) & set(self.definitions) - set(pairs)
        for name in taken:
            raise InputError(
                f"{name} stands for {self.definitions[name]} in this formula; use another symbol for a value"
            )

        def changed(own: sympy.Expr) -> sympy.Expr:
            return own.subs(pairs, simultaneous=True)

        rest = {name: changed(what) for name, what in self.definitions.items() if name not in pairs}
        return replace(self._mapped(changed, "substituting in"), definitions=rest)

    def collect(self, *names: Any) -> Formula:
        """Collect powers of hyperparameters, widths, names, tensors or averages, by name or as sympy expressions.

        Raises:
            InputError: something that does not occur.
        """
        symbols = [symbol for name in names for symbol in self._meant(name)]
        return self._mapped(lambda own: sympy.collect(sympy.expand(own), symbols), "collecting")

    def coefficient(self, name: Any, power: int = 1) -> Formula:
        """What multiplies a power of a symbol, a tensor or an average; names that hold it are made explicit first.

        Args:
            name: as text, ``"C_W"`` or ``"V[ell, 1, 1, 3, 3]"``, or as a sympy expression.
            power: from 0, which gives what is free of it.

        Raises:
            InputError: something that does not occur, or a power that is no whole number.
        """
        first, *others = self._meant(name)
        power = whole(power, "power")
        inside = any(value.has(first) for value in self.definitions.values())
        images = dict.fromkeys(others, first)
        return (self.explicit() if inside else self)._mapped(
            lambda own: sympy.expand(own.xreplace(images)).coeff(first, power)
        )

    def expand(self) -> Formula:
        """Multiplied out."""
        return self._mapped(sympy.expand)

    def simplify(self) -> Formula:
        """By sympy's heuristics; takes a while for long formulas."""
        return self._mapped(sympy.simplify, "simplifying")

    def factor(self) -> Formula:
        """As products, where there are any.

        Raises:
            UnsupportedError: the formula is too long for sympy to factor.
        """
        try:
            return self._mapped(sympy.factor, "factoring")
        except RecursionError:
            raise UnsupportedError("this formula is too long for sympy to factor; use collect") from None

    def doit(self) -> Formula:
        """Derivatives in front of averages carried out, by Leibniz's rule.

        Raises:
            UnsupportedError: the formula is of diagrams.
        """
        self._refuse_diagrams("derivatives are carried out in the expanded form")
        return self._mapped(_carried_out)

    def explicit(self) -> Formula:
        """Names such as chi_parallel replaced by what they stand for."""
        pairs = dict(self.definitions)
        return replace(self._mapped(lambda own: own.xreplace(pairs)), definitions={})

    def for_activation(self, activation: str | Path | Activation, **parameters: Any) -> Formula:
        """Averages in closed form for an activation; names are made explicit first.

        Args:
            activation: a name, a formula, a file or an `Activation`.
            parameters: of the activation.

        Raises:
            UnsupportedError: an average has no closed form that is known here.

        Example:
            >>> import pertheory as pt
            >>> pt.derive("mlp", "K").single_input().for_activation("relu").to_sympy()
            C_W*K[ell]/2 + C_b
        """
        from pertheory.symbols.closed import closed_form, spread

        self._refuse_diagrams("averages have closed forms in the expanded form")
        known: dict[str, Activation] = {}
        for rule in self.networks:
            known |= choose_functions(rule, activation, parameters)
        explicit = self.explicit()
        averages = sorted({own for value in explicit.right.values() for own in value.atoms(Average)}, key=str)
        found = {}
        with progress(f"averages of {self._names} in closed form") as report:
            for done, own in enumerate(averages):
                report(done, len(averages))
                found[own] = closed_form(own, known, kernel)
        return explicit._mapped(lambda own: spread(own.xreplace(found)))

    def to_latex(self) -> str:
        """LaTeX for a paper: an ``aligned`` environment, a line a term; names are defined below it."""
        from pertheory.symbols.export import latex

        with progress(f"writing {self._names}"):
            return latex(self)

    def to_mathematica(self) -> str:
        """An expression of the Wolfram language: a list of equations; see `pertheory.symbols.export`."""
        from pertheory.symbols.export import mathematica

        return mathematica(self)

    def to_form(self) -> str:
        """A program for FORM that declares what it uses and holds each order as a local expression.

        Raises:
            UnsupportedError: something is no polynomial.
        """
        from pertheory.symbols.export import form

        return form(self)

    def __add__(self, other: object) -> Formula:
        return self._combined(other, 1) if isinstance(other, Formula) else NotImplemented

    def __sub__(self, other: object) -> Formula:
        return self._combined(other, -1) if isinstance(other, Formula) else NotImplemented

    def __neg__(self) -> Formula:
        return self._mapped(lambda own: -own)

    def __eq__(self, other: object) -> bool:
        """Whether two formulas say the same of the same tensor: their difference expands to zero.

        Raises:
            UnsupportedError: they are of diagrams, and not the same diagrams.
        """
        if not isinstance(other, Formula):
            return NotImplemented
        if dict(self.left) != dict(other.left):
            return False
        if self.form == other.form == "diagram":
            if all(sympy.expand(value - other.right[order]) == 0 for order, value in self.right.items()):
                return True
        elif self.right == other.right and self.definitions == other.definitions:
            return True
        for own in (self, other):
            own._refuse_diagrams("compare recursions, or formulas in the expanded form")
        difference = (self.explicit().doit() - other.explicit().doit()).right.values()
        return all(sympy.expand(value) == 0 for value in difference)

    def __hash__(self) -> int:
        return hash(tuple(self.left.items()))

    def __str__(self) -> str:
        lines = [f"{self.left[order]} = {value}" for order, value in self.right.items()]
        lines += [f"where {name} = {value}" for name, value in self.definitions.items()]
        return "\n".join(lines if self.is_exact else [f"[{APPROXIMATION}]", *lines])

    def __repr__(self) -> str:
        lefts = ", ".join(map(str, self.left.values()))
        terms = sum(len(sympy.Add.make_args(value)) for value in self.right.values())
        return f"<Formula for {lefts} of {self.network}: {terms} terms>"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.to_latex()}$"

    def _mapped(self, change: Callable[[sympy.Expr], sympy.Expr], doing: str = "expanding") -> Formula:
        with progress(f"{doing} {self._names}") as report:
            right = {}
            for done, (order, value) in enumerate(self.right.items()):
                report(done, len(self.right))
                right[order] = change(value)
        return replace(self, right=right)

    @property
    def _names(self) -> str:
        return ", ".join(str(own.base.label) for own in self.left.values())

    def _combined(self, other: Formula, sign: int) -> Formula:
        if dict(self.left) != dict(other.left):
            mine, others = (", ".join(map(str, own.left.values())) for own in (self, other))
            raise InputError(f"formulas for {mine} and for {others} cannot be added: name the same tensor and orders")
        one, two = self, other
        if one.form != two.form:
            raise InputError("a formula in the diagram form and one in the expanded form cannot be added; use one form")
        for own, given in ((one, two), (two, one)):
            for name in set(own.definitions) - set(given.definitions):
                if any(value.has(name) for value in given.right.values()):
                    raise InputError(
                        f"{name} stands for {own.definitions[name]} in one formula and is free in the other"
                    )
        if any(one.definitions[name] != two.definitions[name] for name in set(one.definitions) & set(two.definitions)):
            one, two = one.explicit(), two.explicit()  # one name for two things
        networks = tuple(dict.fromkeys((*one.networks, *two.networks)))
        right = {order: sympy.expand(value + sign * two.right[order]) for order, value in one.right.items()}
        return replace(one, networks=networks, right=right, definitions={**one.definitions, **two.definitions})

    def _refuse_diagrams(self, why: str) -> None:
        if self.form == "diagram":
            raise UnsupportedError(f"a formula in the diagram form sums over legs; {why}")

    @property
    def _values(self) -> tuple[sympy.Expr, ...]:
        return (*self.right.values(), *self.definitions.values(), *self.definitions)

    def _symbols(self) -> dict[str, set[sympy.Symbol]]:
        """By name; sympy knows symbols of one name that differ in what is assumed of them."""
        found: dict[str, set[sympy.Symbol]] = {}
        for value in self._values:
            for symbol in _free(value):
                found.setdefault(str(symbol), set()).add(symbol)
        return found

    def _meant(self, key: Any) -> list[sympy.Expr]:
        """What a user means by a name or an expression; of a component every image that occurs."""
        if isinstance(key, LayerComponent):
            occurring = {part for value in self._values for part in value.atoms(LayerComponent)}
            same = [part for part in dict.fromkeys(_images(key)) if part in occurring]
            if not same:
                raise InputError(f"{shown(str(key))} is not in this formula; {nearest(str(key), _sorted(occurring))}")
            return same
        if isinstance(key, str | sympy.Symbol):
            known = self._symbols()
            named = known.get(str(key), set())
            if key in named:
                return [key]
            if len(named) > 1:
                raise InputError(f"{shown(str(key))} is the name of {len(named)} symbols here; give one of them itself")
            if named:
                return list(named)
            parts = {part for value in self._values for part in value.atoms(LayerComponent, Average)}
            for part in parts:
                if str(part).replace(" ", "") == str(key).replace(" ", ""):
                    return self._meant(part) if isinstance(part, LayerComponent) else [part]
            names = [*sorted(known), *_sorted(part for part in parts if isinstance(part, LayerComponent))]
            raise InputError(f"no symbol {shown(str(key))} in this formula; {nearest(str(key)[:99], names)}")
        if not isinstance(key, sympy.Expr) or key.is_number or isinstance(key, LayerTensor):
            raise InputError(f"a symbol is a name such as 'C_W' or a sympy expression, not {shown(key)}")
        mark = sympy.Dummy()
        if all(value.subs(key, mark) == value for value in self._values):
            raise InputError(f"{shown(str(key))} is not in this formula")
        return [key]


def _free(value: sympy.Expr) -> Iterable[sympy.Symbol]:
    """Hyperparameters, widths and names; not layers, samples or the labels of tensors."""
    inside: set[sympy.Symbol] = {ELL}
    for part in value.atoms(LayerComponent, Average):
        inside |= part.free_symbols
    return (symbol for symbol in value.free_symbols - inside if isinstance(symbol, sympy.Symbol))


def _images(own: LayerComponent) -> list[LayerComponent]:
    """A component in every order of its slots that the symmetry of the tensor allows; itself first."""
    try:
        tensor, _ = any_tensor(str(own.base.label))
    except InputError:
        return [own]
    if len(own.samples) != tensor.kind.size:
        return [own]
    return [own, *(own.base[(own.layer, *samples)] for samples in images(tensor, own.samples))]


def _sorted(parts: Iterable[sympy.Expr]) -> list[str]:
    return sorted(map(str, parts))


def _value(value: Any, key: Any) -> sympy.Expr:
    if isinstance(value, str):
        raise InputError(f"the value of {shown(str(key))} is a number or a sympy expression, not a text")
    try:
        made = sympy.sympify(value, strict=True)
    except sympy.SympifyError:
        made = None
    if not isinstance(made, sympy.Expr):
        raise InputError(f"the value of {shown(str(key))} is a number or a sympy expression, not {shown(value)}")
    return made


def _carried_out(value: sympy.Expr) -> sympy.Expr:
    return sympy.expand(value.xreplace({own: own.doit() for own in value.atoms(Average)}))
