"""A statement as LaTeX, as it stands: abbreviations are kept."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from pertheory.book import syntax
from pertheory.book.syntax import ONE_INPUT, Node, Statement
from pertheory.book.visit import Interpreter

_NAMES = {
    "Theta": r"\Theta",
    "V6": "V_6",
    "Omega": r"\Omega",
    "chi_par": r"\chi_{\parallel}",
    "chi_perp": r"\chi_{\perp}",
    "tilde_b": r"\tilde{\lambda}_b",
    "tilde_W": r"\tilde{\lambda}_W",
    "T_0": "T",
    "dK_1": r"\delta K_{[1]}",
    "ddK_0": r"\delta\delta K_{[0]}",
    "ddK_2": r"\delta\delta K_{[2]}",
    "cos_psi": r"\cos\psi",
    "sin_psi": r"\sin\psi",
    "psi": r"\psi",
    "l": r"\ell",
    "n_prev": r"n_{\ell-1}",
    "n": r"n_{\ell}",
    "dH": r"\mathrm{d}H",
    "ddH_I": r"\mathrm{dd}_{I}H",
    "ddH_II": r"\mathrm{dd}_{II}H",
    "delta": r"\delta",
    "delta_j": r"\delta^{(\ell)}",
    "Obs": r"\mathcal{O}",
    "f": "f",
    "hatG": r"\hat{G}",
}
_FUNCTIONS = {
    "exp": r"\exp",
    "log": r"\log",
    "sin": r"\sin",
    "cos": r"\cos",
    "sqrt": r"\operatorname{sqrt}",
    "prod": r"\prod_{\ell'=1}^{\ell-1}",
    "prod_k": r"\prod_{k=1}^{m-1}",
    "O": "O",
}
_GREEK = ("sigma", "alpha", "beta", "gamma", "lambda", "eta", "nu", "rho", "epsilon", "phi", "pi")


def statement_latex(statement: Statement) -> str:
    """The sides joined by equals signs; long sums are broken into lines of an ``aligned`` environment."""
    written, (first, *others) = _Latex().interpret, statement.sides
    lines = []
    for side in others:
        terms = side.terms if isinstance(side, syntax.Sum) else (side,)
        rows = _signed([written(term) for term in terms]) if len(terms) > 1 else [written(side)]
        lines += [f"&= {rows[0]}", *(rf"&\quad {row}" for row in rows[1:])]
    return "\\begin{aligned}\n" + written(first) + " " + " \\\\\n".join(lines) + "\n\\end{aligned}"


class _Latex(Interpreter[str]):
    def number(self, value: Fraction) -> str:
        return str(value) if value.denominator == 1 else str(Decimal(value.numerator) / value.denominator)

    def meaning(self, node: Node, *place: Any) -> str:
        match node:
            case syntax.Symbol(name) | syntax.Call(name, ()):
                return _name(name)
            case syntax.Line(order, label, neuron):
                return r"\sigma" + ("'" * order if order < 4 else f"^{{({order})}}") + _at(label, neuron)
            case syntax.Zed(label, neuron):
                return "z" + _at(label, neuron)
            case syntax.Component():
                return _component(node)
            case syntax.Mark(name, labels, up):
                return _name(name) + (r"^{(\ell+1)}" if up else "") + _indices(labels)
            case syntax.Call(name, labels):
                return _name(name) + _indices(labels)
            case syntax.Average(pieces):
                return rf"\left\langle {self.pieces(pieces)} \right\rangle"
            case syntax.Expectation(pieces, first):
                return r"\mathbb{E}" + ("^{(1)}" if first else "") + rf"\left[ {self.pieces(pieces)} \right]"
            case syntax.Derivative(label, of, neuron):
                inside = rf"\left({self.interpret(of)}\right)" if isinstance(of, syntax.Product) else self.factor(of)
                return rf"\partial{_at(label, neuron)} {inside}"
            case syntax.Slope(variable, of):
                return rf"\frac{{\mathrm{{d}}}}{{\mathrm{{d}}{_name(variable)}}} \left[{self.interpret(of)}\right]"
            case syntax.Power(base, exponent) if exponent < 0:
                below = self.interpret(base) if exponent == -1 else f"{self.base(base)}^{{{-exponent}}}"
                return rf"\frac{{1}}{{{below}}}"
            case syntax.Power(base, exponent):
                return f"{self.base(base)}^{{{exponent}}}"
            case syntax.Raise(base, power):
                return f"{self.base(base)}^{{{self.interpret(power)}}}"
            case syntax.Apply(function, of):
                return rf"{_FUNCTIONS[function]}\left({self.interpret(of)}\right)"
            case syntax.Product(factors):
                return self.product(factors)
            case syntax.Sum(terms):
                return " ".join(_signed([self.interpret(term) for term in terms]))
        return super().meaning(node, *place)

    def pieces(self, pieces: tuple[Node, ...]) -> str:
        return r" \,;\, ".join(map(self.interpret, pieces))

    def product(self, factors: tuple[Node, ...]) -> str:
        """Factors side by side; what is divided by goes below the factor in front of it."""
        parts: list[str] = []
        for factor in factors:
            if isinstance(factor, syntax.Power) and factor.exponent == -1:
                above = parts.pop() if parts else "1"
                parts.append(rf"\frac{{{above}}}{{{self.interpret(factor.base)}}}")
            elif factor == syntax.Number(Fraction(-1)) and not parts:
                parts.append("-")
            else:
                text = self.factor(factor)
                parts.append(rf"\left({text}\right)" if parts and text.startswith("-") else text)
        return r"\, ".join(parts).replace(r"-\, ", "-", 1) if parts[0] == "-" else r"\, ".join(parts)

    def factor(self, node: Node) -> str:
        text = self.interpret(node)
        return rf"\left[{text}\right]" if isinstance(node, syntax.Sum) else text

    def base(self, node: Node) -> str:
        """What stands below an exponent."""
        inside = isinstance(node, syntax.Product | syntax.Power | syntax.Raise)
        return rf"\left({self.interpret(node)}\right)" if inside else self.factor(node)


def _signed(terms: list[str]) -> list[str]:
    """The terms of a sum, each behind its sign."""
    rows = [f"- {text[1:]}" if text.startswith("-") else f"+ {text}" for text in terms]
    return [rows[0].removeprefix("+ "), *rows[1:]]


def _component(node: syntax.Component) -> str:
    marks = rf"\{{{node.order}\}}" if node.order else ""
    marks += r"(\ell+1)" if node.up else ""
    marks += f"({node.layer})" if node.layer else ""
    if node.raised:
        return f"{_name(node.name)}{_indices(node.labels, '^')}" + (f"_{{{marks}}}" if marks else "")
    return _name(node.name) + (f"^{{{marks}}}" if marks else "") + _indices(node.labels)


def _indices(labels: tuple[str, ...], where: str = "_") -> str:
    shown = [_label(label) for label in labels if label != ONE_INPUT]
    return f"{where}{{{' '.join(shown)}}}" if shown else ""


def _at(label: str, neuron: str = "") -> str:
    if neuron:
        return f"_{{{_neuron(neuron)};{_label(label)}}}"
    return "" if label == ONE_INPUT else f"_{{{_label(label)}}}"


def _neuron(label: str) -> str:
    """The neuron of a sample is called i_1; one that is summed keeps its letter."""
    return f"i_{{{label}}}" if label.isdigit() else label


def _label(label: str) -> str:
    if label.isdigit():
        return label
    letters = {"a": r"\alpha", "b": r"\beta", "c": r"\gamma", "d": r"\delta", "e": r"\epsilon"}
    head = letters.get(label[0], label[0])
    return f"{head}_{{{label[1:]}}}" if label[1:] else head


def _name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    if name.endswith("'"):
        return f"{{{_name(name[:-1])}}}^{{(\\ell+1)}}"
    head, _, index = name.partition("_")
    shown = "\\" + head if head in _GREEK else head
    return f"{{{shown}_{{{index}}}}}" if index else shown
