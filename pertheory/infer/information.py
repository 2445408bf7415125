"""Entropy and mutual information of output neurons on one input, with symbols for how many there are.

On one input the density of m outputs depends on t = z.z/G alone, G the mean of their kernel with all corrections. With
v = V/(n G^2), v_3 = V6/(n^2 G^3), v_4 = V8/(n^3 G^4), .. it is the Gaussian one times e^L, and L is the sum of
connected diagrams of `pertheory.infer.expansion` in which each chain gives t and each loop m. What is left is a
Gaussian average of a polynomial in t: because e^L averages to one,

    entropy = m/2 log(2 pi e G) - <e^L L - e^L + 1> = m/2 log(2 pi e G) - <L^2/2 + L^3/3 + L^4/8 + ..>,

so that each order needs L only to the order below.

Equation:
    appendix A of the book.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import factorial

import sympy

from pertheory.algebra.polynomial import Polynomial
from pertheory.graphs.partitions import compositions
from pertheory.infer.expansion import diagrams

#: how many outputs there are, t, and the halves that information is shared by
OUTPUTS, SQUARE, ALL = "m", "t", "n_L"


def cumulant(pairs: int) -> Polynomial:
    """v, v_3, v_4, .. as a symbol."""
    return Polynomial.symbol("v" if pairs == 2 else f"v_{pairs}", Fraction(1))


@lru_cache(maxsize=16)
def log_density(order: int) -> Polynomial:
    """The part of L of one order of 1/n, a polynomial in t, m and the cumulants.

    Example:
        >>> log_density(1).coefficient(("t", 2), ("v", 1))
        Fraction(1, 8)
    """
    total = Polynomial({})
    for own in diagrams(order, whole=True):
        chains = len(own.blocks) - own.loops
        term = Polynomial({tuple((n, p) for n, p in ((OUTPUTS, own.loops), (SQUARE, chains)) if p): own.coefficient})
        for vertex in own.vertices:
            term = term * cumulant(vertex.pairs)
        total = total + term
    return total


@lru_cache(maxsize=16)
def entropy(order: int) -> Polynomial:
    """The part of one order of 1/n of the entropy of m outputs, beyond m/2 log(2 pi e G).

    Args:
        order: from 2; at 1 it vanishes.

    Returns:
        A polynomial in m, v, v_3, ..; v_p counts as the order p - 1.

    Example:
        >>> entropy(2) == Polynomial({(("m", 1), ("v", 2)): Fraction(-1, 8), (("m", 2), ("v", 2)): Fraction(-1, 16)})
        True
    """
    total = Polynomial({})
    for power in range(2, order + 1):
        weight = Fraction(power - 1, factorial(power))
        for orders in compositions(order - power, power):
            product = Polynomial({(): weight})
            for own in orders:
                product = product * log_density(own + 1)
            total = total - product
    return _averaged(total)


@lru_cache(maxsize=16)
def mutual_information(order: int) -> Polynomial:
    """The part of one order of 1/n of the information that two halves of n_L outputs have about each other.

    Returns:
        A polynomial in n_L, v, v_3, ..

    Example:
        >>> mutual_information(2).terms
        {(('n_L', 2), ('v', 2)): Fraction(1, 32)}
    """
    own = entropy(order)
    whole = Polynomial.symbol(ALL, Fraction(1))
    return substituted(own, OUTPUTS, whole / 2) * 2 - substituted(own, OUTPUTS, whole)


def expression(polynomial: Polynomial) -> sympy.Expr:
    """The same for sympy.

    Example:
        >>> sympy.factor(expression(entropy(3)))
        m*v**3*(m + 2)*(m + 8)/48
    """
    terms = (
        sympy.Rational(c) * sympy.prod([sympy.Symbol(n) ** p for n, p in own]) for own, c in polynomial.terms.items()
    )
    return sympy.Add(*terms)


def substituted(polynomial: Polynomial, name: str, value: Polynomial) -> Polynomial:
    """A polynomial with something in the place of one of its symbols."""
    total = Polynomial({})
    for powers, coefficient in polynomial.terms.items():
        rest = Polynomial({tuple(own for own in powers if own[0] != name): coefficient})
        total = total + rest * value ** dict(powers).get(name, 0)
    return total


def _averaged(polynomial: Polynomial) -> Polynomial:
    """The Gaussian average: t is a sum of m squares of unit variance, <t^k> = m (m + 2) .. (m + 2 k - 2)."""
    outputs, total = Polynomial.symbol(OUTPUTS, Fraction(1)), Polynomial({})
    for powers, coefficient in polynomial.terms.items():
        term = Polynomial({tuple(own for own in powers if own[0] != SQUARE): coefficient})
        for step in range(dict(powers).get(SQUARE, 0)):
            term = term * (outputs + 2 * step)
        total = total + term
    return total
