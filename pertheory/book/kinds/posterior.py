"""Bayesian inference and information at order 1/n, against the expansion of `pertheory.infer`.

* "posterior": ``mean(1) = K(1,a) Kt(a,b) y(b) + eps {..}``. Letters run over all samples, digits name test inputs;
  ``Kt(a,b)`` is the inverse of the kernel on the training set and zero elsewhere, ``y(a)`` the target of the output in
  question (zero elsewhere), ``y_2(a)`` that of another one, ``yy(a,b)`` the product summed over outputs, eps = 1/n. The
  left side is mean(1), cov(1,2) of one output, wired(1,2) of two different outputs, kernel(1,2), the mean kernel of the
  outputs given the data, or log_p, the log evidence without its leading part.
* "evidence": of one or two training inputs, as scalars; `pertheory/book/settings/evidence.py`.
* "information": entropies of outputs as series; `pertheory/book/settings/information.py`.

Settings: "infinite width", where only what is left at 1/n = 0 counts.
"""

from __future__ import annotations

from functools import lru_cache

from pertheory.book import syntax
from pertheory.book.equation import Equation
from pertheory.book.formulas import formula_of
from pertheory.book.scalar import read_one
from pertheory.book.settings.conditioned import CONDITIONED, ConditionedPoint, is_same
from pertheory.book.settings.evidence import OnOneOrTwoInputs
from pertheory.book.settings.information import OfOutputs
from pertheory.book.syntax import Node
from pertheory.book.verdict import MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.infer.information import entropy, expression, mutual_information
from pertheory.infer.writing import written

INFINITE_WIDTH = "infinite width"
#: what the left sides are called by those who write the expansion
WRITTEN = {
    "mean": "mean",
    "cov": "covariance",
    "wired": "covariance",
    "kernel": "kernel",
    "log_p": "log_evidence",
}
#: orders of entropies that are written
HIGHEST = 3


def decide_posterior(equation: Equation, form: str) -> Verdict:
    """Compare with the diagrams of the expansion at a random point, modulo a prime."""
    if equation.setting not in ("", INFINITE_WIDTH):
        raise equation.wrong(f"setting {equation.setting!r} is not known")
    left, *rest = equation.read(form).sides
    name, labels = _left(left)
    if len(rest) != 1 or CONDITIONED.get(name) != len(labels) or not all(label.isdigit() for label in labels):
        raise equation.wrong("the left side must be mean(1), cov(1,2), wired(1,2), kernel(1,2) or log_p")
    point = _point(equation.number)
    right = point.evaluate(formula_of(rest[0]), labels)
    if is_same(point.left(name), right, equation.setting == INFINITE_WIDTH):
        return Verdict(VERIFIED, NUMERIC)
    return Verdict(MISMATCH, NUMERIC, 1.0, "the sides differ at a random point")


def _left(side: Node) -> tuple[str, tuple[str, ...]]:
    """What a statement is about, and at which inputs."""
    name = side.name if isinstance(side, syntax.Call | syntax.Symbol) else ""
    return name, side.labels if isinstance(side, syntax.Call) else ()


def posterior_text(equation: Equation) -> str:
    """What the expansion says of what a statement is about."""
    quantity = WRITTEN[_left(equation.read(equation.statement).sides[0])[0]]
    return f"{quantity.replace('_', ' ')}, the coefficient of 1/n: {written(quantity)}"


def information_text(equation: Equation) -> str:
    """The entropy and the information, order by order."""
    orders = range(2, HIGHEST + 1)
    lines = [f"entropy: {expression(entropy(order))}" for order in orders]
    return "\n".join([*lines, *(f"information: {expression(mutual_information(order))}" for order in orders)])


@lru_cache(maxsize=64)
def _point(seed: str) -> ConditionedPoint:
    return ConditionedPoint(seed)


def decide_evidence(equation: Equation, form: str) -> Verdict:
    """Compare numbers in double precision at a random point."""
    return OnOneOrTwoInputs(equation.number).verdict(read_one(equation, form))


def decide_information(equation: Equation, form: str) -> Verdict:
    """Compare series in the fluctuation of the kernel."""
    return OfOutputs(equation.number).verdict(read_one(equation, form))
