"""A statement as LaTeX, as it stands: abbreviations are kept."""

from __future__ import annotations

from decimal import Decimal

from pertheory.book.syntax import (
    ONE_INPUT,
    ApplyNode,
    AverageNode,
    CallNode,
    ComponentNode,
    DerivativeNode,
    ExpectationNode,
    LineNode,
    MarkNode,
    Node,
    NumberNode,
    PowerNode,
    ProductNode,
    RaiseNode,
    SlopeNode,
    Statement,
    SumNode,
    SymbolNode,
    ZedNode,
)

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
_GREEK = ("sigma", "alpha", "beta", "gamma", "lambda", "eta", "nu", "rho", "epsilon")


def statement_latex(statement: Statement) -> str:
    """The sides joined by equals signs; long sums are broken into lines of an ``aligned`` environment."""
    first, *others = statement.sides
    lines = []
    for side in others:
        rows = _rows(side)
        lines.append("&= " + rows[0])
        lines += [rf"&\quad {row}" for row in rows[1:]]
    return "\\begin{aligned}\n" + latex(first) + " " + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _rows(node: Node) -> list[str]:
    if not isinstance(node, SumNode):
        return [latex(node)]
    return [_signed(term, number > 0) for number, term in enumerate(node.terms)]


def latex(node: Node) -> str:
    """One node."""
    match node:
        case NumberNode(value):
            return str(value) if value.denominator == 1 else str(Decimal(value.numerator) / value.denominator)
        case SymbolNode(name) | CallNode(name, ()):
            return _name(name)
        case LineNode(order, label, neuron):
            return r"\sigma" + ("'" * order if order < 4 else f"^{{({order})}}") + _at(label, neuron)
        case ZedNode(label, neuron):
            return "z" + _at(label, neuron)
        case ComponentNode():
            return _component(node)
        case MarkNode(name, labels, up):
            return _name(name) + (r"^{(\ell+1)}" if up else "") + _indices(labels)
        case CallNode(name, labels):
            return _name(name) + _indices(labels)
        case AverageNode(pieces):
            return r"\left\langle " + r" \,;\, ".join(latex(piece) for piece in pieces) + r" \right\rangle"
        case ExpectationNode(pieces, first):
            inside = r" \,;\, ".join(latex(piece) for piece in pieces)
            return r"\mathbb{E}" + ("^{(1)}" if first else "") + rf"\left[ {inside} \right]"
        case DerivativeNode(label, of, neuron):
            inside = rf"\left({latex(of)}\right)" if isinstance(of, ProductNode) else _bracketed(of)
            return rf"\partial{_at(label, neuron)} {inside}"
        case SlopeNode(variable, of):
            return rf"\frac{{\mathrm{{d}}}}{{\mathrm{{d}}{_name(variable)}}} \left[{latex(of)}\right]"
        case PowerNode(base, exponent):
            if exponent < 0:
                below = latex(base) if exponent == -1 else f"{_powered(base)}^{{{-exponent}}}"
                return rf"\frac{{1}}{{{below}}}"
            return f"{_powered(base)}^{{{exponent}}}"
        case RaiseNode(base, power):
            return f"{_powered(base)}^{{{latex(power)}}}"
        case ApplyNode(function, of):
            return rf"{_FUNCTIONS[function]}\left({latex(of)}\right)"
        case ProductNode(factors):
            return _product(factors)
        case SumNode(terms):
            return " ".join(_signed(term, number > 0) for number, term in enumerate(terms))
    raise AssertionError(node)


def _product(factors: tuple[Node, ...]) -> str:
    """Factors side by side; what is divided by goes below the factor in front of it."""
    parts: list[str] = []
    for factor in factors:
        if isinstance(factor, PowerNode) and factor.exponent == -1:
            below = latex(factor.base)
            above = parts.pop() if parts else "1"
            parts.append(rf"\frac{{{above}}}{{{below}}}")
        elif isinstance(factor, NumberNode) and factor.value == -1 and not parts:
            parts.append("-")
        else:
            text = _bracketed(factor)
            parts.append(rf"\left({text}\right)" if parts and text.startswith("-") else text)
    return r"\, ".join(parts).replace(r"-\, ", "-", 1) if parts[0] == "-" else r"\, ".join(parts)


def _signed(term: Node, inner: bool) -> str:
    text = latex(term)
    if text.startswith("-"):
        return "- " + text[1:]
    return f"+ {text}" if inner else text


def _bracketed(node: Node) -> str:
    return rf"\left[{latex(node)}\right]" if isinstance(node, SumNode) else latex(node)


def _powered(node: Node) -> str:
    """What stands below an exponent."""
    if isinstance(node, ProductNode | PowerNode | RaiseNode):
        return rf"\left({latex(node)}\right)"
    return _bracketed(node)


def _component(node: ComponentNode) -> str:
    marks = ""
    if node.order:
        marks += rf"\{{{node.order}\}}"
    if node.up:
        marks += r"(\ell+1)"
    if node.layer:
        marks += f"({node.layer})"
    name = _name(node.name) + (f"^{{{marks}}}" if marks else "")
    if node.raised:
        return f"{_name(node.name)}{_indices(node.labels, '^')}" + (f"_{{{marks}}}" if marks else "")
    return name + _indices(node.labels)


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
