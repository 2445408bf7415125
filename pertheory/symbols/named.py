"""The names that the book gives to averages on one input, found in the recursions of the rule at hand.

    chi_parallel   the coefficient of G{1} in its own recursion       (5.50) of the book for a perceptron
    chi_perp       the coefficient of Theta in its own recursion      (5.51)
    h              1/2 d chi_perp / dK                                (5.52)
    g              the average in the recursion of K                  (5.4)

Each name that holds a single average is put in the place of that average; sums of several stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import sympy

from pertheory.symbols.objects import WIDTH, WIDTH_BELOW, Average, LayerComponent, average

#: what is named, in the order in which averages are replaced
PARALLEL, PERPENDICULAR, SLOPE, SIZE = (sympy.Symbol(name) for name in ("chi_parallel", "chi_perp", "h", "g"))


def definitions(sources: Sequence[sympy.Expr]) -> dict[sympy.Symbol, sympy.Expr]:
    """What the names stand for in a rule; those that hold no average or several are left out.

    Args:
        sources: the right-hand sides on one input of G, of G{1} alone, and of Theta if there is one.
    """
    found: dict[sympy.Symbol, sympy.Expr] = {}
    for name, right, own in zip((PARALLEL, PERPENDICULAR), sources[1:], ("G{1}", "Theta"), strict=False):
        found[name] = _own_coefficient(right, own)
    if PERPENDICULAR in found:
        found[SLOPE] = _slope(found[PERPENDICULAR]) / 2
    averages = [own for right in sources[:1] for own in right.atoms(Average)]
    if len(averages) == 1:
        found[SIZE] = averages[0]
    return {name: value for name, value in found.items() if len(value.atoms(Average)) == 1}


def _own_coefficient(right: sympy.Expr, name: str) -> sympy.Expr:
    own = [part for part in right.atoms(LayerComponent) if str(part.base.label) == name]
    found = sympy.expand(right).coeff(own[0], 1) if own else sympy.Integer(0)
    return found.subs(WIDTH, WIDTH_BELOW)  # the ratio of widths belongs to the coefficient of 1/n


def _slope(value: sympy.Expr) -> sympy.Expr:
    """The derivative by K: of an average half the average of the second derivative."""
    changed = {own: own + own.derived(2) * sympy.Symbol("_slope") / 2 for own in value.atoms(Average)}
    return sympy.expand(value.xreplace(changed)).coeff(sympy.Symbol("_slope"), 1)


def with_names(right: Mapping[int, sympy.Expr], names: Mapping[sympy.Symbol, sympy.Expr]) -> dict[int, sympy.Expr]:
    """Names in the place of the averages that they hold."""
    pairs = dict(_solved({name: gathered(value) for name, value in names.items()}))
    return {order: sympy.expand(gathered(value).xreplace(pairs)) for order, value in right.items()}


def gathered(value: sympy.Expr) -> sympy.Expr:
    """Products under a derivative that are derivatives themselves, written as such: d (s s') as d^2 (s s) / 2."""
    found = {}
    for own in value.atoms(Average):
        (factor,) = own.factors
        weight, legs, lines = sympy.Integer(1), factor.legs, factor.lines
        while legs and len(set(lines)) == 2:
            (name, order), last = min(lines), max(lines)
            if last != (name, order + 1) or lines.count(last) > 1:
                break
            weight, legs, lines = weight / len(lines), legs + 1, ((name, order),) * len(lines)
        if legs != factor.legs:
            found[own] = weight * average(own.layer, own.field, [factor._replace(legs=legs, lines=lines)])
    return value.xreplace(found)


def _solved(names: Mapping[sympy.Symbol, sympy.Expr]) -> Iterator[tuple[Average, sympy.Expr]]:
    """Each average in terms of its name; the first name that holds it wins."""
    for name, value in reversed(list(names.items())):
        (own,) = value.atoms(Average)
        factor = value.coeff(own, 1)
        yield own, (name - (value - factor * own)) / factor
