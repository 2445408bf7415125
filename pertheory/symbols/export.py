r"""Formulas for papers and for other programs.

LaTeX needs amsmath for ``aligned``. In the Wolfram language a tensor is ``tensor["V", 0][layer, samples..]`` and an
average ``average["z", {sample, legs, {"s", 2}, ..}, ..]``, so that no name clashes with a built-in one; symbols begin
with a small letter and have no underscores, which mean patterns there. In FORM names stand in brackets, which allow
any; a tensor is a function ``[V](order, layer, samples..)`` and an average ``avg(layer, [z], f(sample, legs, [s], 2,
..), ..)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.mathematica import MCodePrinter

from pertheory.errors import UnsupportedError
from pertheory.rulebook.names import line
from pertheory.symbols.objects import WIDTH, WIDTH_BELOW, Average, Cumulant, Factor, LayerComponent
from pertheory.typeset.write import APPROXIMATION, LatexStyle

if TYPE_CHECKING:
    from pertheory.symbols.formula import Formula

_NAMED = {"chi_parallel": r"\chi_{\parallel}", "chi_perp": r"\chi_{\perp}", "ell": r"\ell"}
#: what stands for tensors and averages in the Wolfram language
HEADS = frozenset(["tensor", "average", "cumulant"])
_WIDTHS = {WIDTH: r"n_{\ell}", WIDTH_BELOW: r"n_{\ell-1}"}


def summands(value: sympy.Expr) -> list[sympy.Expr]:
    """The terms of a sum in a fixed order: those without tensors first, then by their text."""
    terms = sympy.Add.make_args(value)
    return sorted(terms, key=lambda term: (len(term.atoms(LayerComponent)), len(term.atoms(Average)), str(term)))


class _Paper(LatexPrinter):  # type: ignore[misc]
    """Hyperparameters carry the layer that they belong to."""

    def __init__(self, layered: Iterable[str]) -> None:
        super().__init__()
        self.layered = frozenset(layered)

    def _print_Symbol(self, expr: Any, **_: Any) -> str:
        name = str(expr)
        if expr in _WIDTHS:
            return _WIDTHS[expr]
        if name in _NAMED:
            return _NAMED[name]
        if expr.is_integer:  # a sample, or a leg
            return LatexStyle().index(name)
        text = LatexStyle().symbol(name)
        return rf"{text}^{{(\ell+1)}}" if name in self.layered else text

    def term(self, value: Any) -> str:
        """A term as physicists order it: number, hyperparameters, widths, averages, tensors."""
        number, rest = value.as_coeff_Mul()
        if not isinstance(number, sympy.Rational):
            return str(self.doprint(value))
        kinds: dict[int, list[Any]] = {}
        for factor in sympy.Mul.make_args(rest):
            base = factor.as_base_exp()[0]
            kind = 1 if base in _WIDTHS else 2 if isinstance(base, Average | Cumulant) else 0
            kinds.setdefault(3 if isinstance(base, LayerComponent) else kind, []).append(factor)
        groups = [sympy.Mul(*kinds[kind]) for kind in sorted(kinds)]
        parts = [self._bracketed(group) for group in groups if group != 1]
        if abs(number) != 1 or not parts:
            parts.insert(0, str(self.doprint(abs(number))))
        return ("- " if number < 0 else "") + r"\, ".join(parts)

    def _bracketed(self, value: Any) -> str:
        text = str(self.doprint(value))
        return rf"\left({text}\right)" if isinstance(value, sympy.Add) else text

    def _print_Pow(self, expr: Any) -> str:
        base, up = expr.as_base_exp()
        if isinstance(base, LayerComponent | Average | Cumulant) and up.is_Integer and up > 1:
            return rf"\left({self.doprint(base)}\right)^{{{up}}}"
        text: str = super()._print_Pow(expr)
        return text


def _joined(text: str) -> str:
    return text if text.startswith("-") else f"+ {text}"


def latex(formula: Formula) -> str:
    """See `Formula.to_latex`."""
    printer = _Paper(name for rule in formula.networks for name, _ in rule.hyperparameters)
    rows = []
    for order, value in formula.right.items():
        first, *rest = [printer.term(term) for term in summands(value)]
        rows.append(f"{printer.doprint(formula.left[order])} &= {first}")
        rows += [rf"&\quad {_joined(text)}" for text in rest]
    for name, value in formula.definitions.items():
        first, *rest = [printer.term(term) for term in summands(value)]
        rows.append(" ".join([f"{printer.doprint(name)} &= {first}", *map(_joined, rest)]))
    text = "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"
    return text if formula.is_exact else f"% {APPROXIMATION}\n{text}"


class _Mathematica(MCodePrinter):  # type: ignore[misc]
    def __init__(self, names: dict[sympy.Symbol, str]) -> None:
        super().__init__()
        self.names = names

    def _print_Symbol(self, expr: Any) -> str:
        return self.names[expr]

    def _print_LayerComponent(self, expr: Any) -> str:
        indices = ", ".join(map(self.doprint, expr.indices))
        return f'tensor["{_quoted(expr.name)}", {expr.order}][{indices}]'

    def _print_Average(self, expr: Any) -> str:
        parts = [", ".join([self.doprint(f.sample), str(f.legs), *_lines(f)]) for f in expr.factors]
        return f'average["{expr.field}", {", ".join(f"{{{part}}}" for part in parts)}]'

    def _print_Cumulant(self, expr: Any) -> str:
        def legs(own: Any) -> str:
            return "{" + ", ".join(map(self.doprint, own)) + "}"

        pieces = [
            "{" + ", ".join([legs(own), *(f'{{{self.doprint(x)}, "{name}", {k}}}' for x, name, k in lines)]) + "}"
            for own, *lines in expr.args[3:]
        ]
        return f'cumulant["{expr.args[1]}", {", ".join([legs(expr.args[2]), *pieces])}]'


def _lines(factor: Factor) -> list[str]:
    return [f'{{"{name}", {order}}}' for name, order in factor.lines]


def _quoted(text: str) -> str:
    return line(text).replace("\\", "\\\\").replace('"', '\\"')


def mathematica(formula: Formula) -> str:
    """See `Formula.to_mathematica`."""
    symbols = {symbol for value in _everything(formula) for symbol in _symbols(value)}
    names: dict[sympy.Symbol, str] = {}
    for symbol in sorted(symbols, key=lambda own: own.sort_key()):
        plain = re.sub("[^A-Za-z0-9]", "", str(symbol))
        if not plain[:1].isalpha():
            plain = f"x{plain}"
        plain = plain[0].lower() + plain[1:]  # what is built in, as C, E, Pi, begins with a capital
        while plain in names.values() or plain in HEADS:
            plain += "x"
        names[symbol] = plain
    printer = _Mathematica(names)
    equations = [*formula.equations, *(sympy.Eq(name, v, evaluate=False) for name, v in formula.definitions.items())]
    rows = [f"{printer.doprint(own.lhs)} == {printer.doprint(own.rhs)}" for own in equations]
    head = "" if formula.is_exact else f"(* {APPROXIMATION} *)\n"
    return head + "{" + ",\n ".join(rows) + "}"


def _everything(formula: Formula) -> Sequence[sympy.Expr]:
    return [*formula.left.values(), *formula.right.values(), *formula.definitions, *formula.definitions.values()]


def _symbols(value: sympy.Expr) -> Iterable[sympy.Symbol]:
    inside = {part.base.label for part in value.atoms(LayerComponent)}
    return (symbol for symbol in value.free_symbols - inside if isinstance(symbol, sympy.Symbol))


def form(formula: Formula) -> str:
    """See `Formula.to_form`."""
    everything = _everything(formula)
    given = {symbol for value in everything for symbol in _symbols(value)}
    symbols = sorted({_bracketed(symbol) for symbol in given})
    if len(symbols) != len(given):
        raise UnsupportedError(f"FORM needs different names for {len(given)} symbols: {', '.join(symbols)}")
    components = {part for value in everything for part in value.atoms(LayerComponent)}
    averages = {part for value in everything for part in value.atoms(Average)}
    words = {own.field for own in averages} | {name for own in averages for f in own.factors for name, _ in f.lines}
    tensors = sorted({f"[{_form_name(own.name)}]" for own in components})
    declared = sorted({*symbols, *(f"[{word}]" for word in words)})
    if clash := set(declared) & set(tensors):
        raise UnsupportedError(f"FORM cannot have {min(clash)} as a symbol and as a tensor; use another symbol")
    rows = [f"Symbols {', '.join(declared)};", f"CFunctions {', '.join([*tensors, 'avg', 'f'])};"]
    for order, value in formula.right.items():
        name = f"[{_form_name(formula.left[order].name)}({order}) above]"
        terms = "\n    ".join(f"+ {_form(term)}" for term in summands(sympy.expand(value)))
        rows.append(f"Local {name} =\n    {terms};")
    for name, value in formula.definitions.items():
        rows.append(f"* {_bracketed(name)} = {_form(value)}")
    head = [] if formula.is_exact else [f"* {APPROXIMATION}"]
    return "\n".join([*head, *rows, "Print +s;", ".end"]) + "\n"


def _form_name(name: str) -> str:
    """A name between brackets, which end it."""
    return line(name).replace("[", "(").replace("]", ")")


def _bracketed(symbol: sympy.Symbol) -> str:
    return f"[{_form_name(str(symbol))}]"


def _form(value: sympy.Expr) -> str:
    if isinstance(value, sympy.Add):
        return "(" + " + ".join(map(_form, value.args)) + ")"
    if isinstance(value, sympy.Mul):
        return "*".join(map(_form, value.args))
    if isinstance(value, sympy.Pow) and value.exp.is_Integer:
        return f"{_form(value.base)}^{_form(value.exp)}"
    if isinstance(value, sympy.Rational):
        return str(value) if value.is_Integer and value >= 0 else f"({value})"
    if isinstance(value, LayerComponent):
        return f"[{_form_name(value.name)}]({','.join([str(value.order), *map(_form, value.indices)])})"
    if isinstance(value, Average):
        parts = [f"f({','.join([_form(own.sample), str(own.legs), *_form_lines(own)])})" for own in value.factors]
        return f"avg({','.join([_form(value.layer), f'[{value.field}]', *parts])})"
    if isinstance(value, sympy.Symbol):
        return _bracketed(value)
    raise UnsupportedError(f"FORM has no {value.func.__name__}; only polynomials of tensors and averages are written")


def _form_lines(factor: Factor) -> list[str]:
    return [part for name, order in factor.lines for part in (f"[{name}]", str(order))]
