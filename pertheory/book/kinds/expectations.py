"""What is an expectation: statements on averages over networks, weights or an action, decided by exact numbers.

Sample a carries a neuron of its own, z_1 is z(1;1). Obs is any function of the preactivations of all neurons, f(1) any
function of those of the neuron of sample 1; both are tried with every monomial up to some degree. All ways in which
samples may share neurons are tried, or those of the setting.

* "insertion": ``E[Obs ; H(3,4)] = 1/n_prev [...]``, at one layer, to order 1/n_prev. On the left stand the engine's
  joint cumulants; averages <...> on the right are Gaussian with K as covariance, or with the mean metric
  K + G{1}/n_prev if the setting says "metric G". The number of neurons n is finite and takes several values.
  ``E_1[...]`` is the first layer.
* "metric": ``E[hatG(1,2) ; hatG(3,4)] = 1/n V'(1,2,3,4)``, to order 1/n. hatG is what the engine's first two moves make
  of two preactivations: a sum over the n neurons below, written out as plain moments on the left; on the right stands
  the engine's recursion. n/n_prev is held fixed.
* "weights": ``E[W(3) Obs] = C_W/n s(3;b1) <d_(3;b1) Obs>``, what is below held fixed, exact in the width n below. W(a)
  is the weight between neuron i_a above and neuron j_a below; s(3;1) is the activation of j_3 at sample 1. delta(3,4)
  says that i_3 = i_4, delta_j(3,4) that j_3 = j_4. On the left every z is written out as b + sum of W s and the
  Gaussian W and b are averaged; averages <...> have the stochastic metric hatG as covariance, K^(b1,c1) is its inverse.
* "action": ``E_2(1,2) = K(1,2) - eps/2 V^(a,b,c,d) ... + O(eps^2)``, moments of a nearly Gaussian density; ``C_4`` is
  the joint cumulant of four z's, ``Z`` the partition function over that of the Gaussian. First route: the density is
  expanded. Second route: for one neuron such a density is what the layer below looks like from above, so with its two
  cumulants inserted for G{1} and V the engine's recursion of G{1} has to give the change of C_W <s_1 s_2>. In the
  setting "Gaussian" eps is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from pertheory.algebra.dual import Dual
from pertheory.book import syntax
from pertheory.book.compare import relative
from pertheory.book.equation import Equation
from pertheory.book.forward import METRIC
from pertheory.book.indices import check_indices
from pertheory.book.nearly_gaussian import MOMENTS, SAMPLES, NearlyGaussian, OfAction
from pertheory.book.neuron_sums import NeuronSums
from pertheory.book.neurons import Neurons, assignments, summed_neurons
from pertheory.book.over_networks import AtOneLayer, OneLayerUp
from pertheory.book.over_weights import BELOW, Weights, conditional_point
from pertheory.book.point import Point
from pertheory.book.scalar import remainder_of
from pertheory.book.syntax import Node, Statement
from pertheory.book.verdict import BOTH, MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.book.visit import walk

MEAN_METRIC = "metric G"
GAUSSIAN = "Gaussian"


def decide_insertion(equation: Equation, form: str) -> Verdict:
    """Compare the sides at random points, for every way in which samples may share neurons."""
    statement = equation.read(form)
    if not any(isinstance(node, syntax.Expectation) for node in _nodes(statement)):
        raise equation.wrong("an insertion needs an expectation such as E[Obs ; H(3,4)]")
    words = [word.strip() for word in equation.setting.split(";") if word.strip()]
    sharing = "".join(word for word in words if word != MEAN_METRIC)
    if sharing and not sharing.startswith("neurons ") and sharing != "distinct neurons":
        known = f"'distinct neurons', 'neurons 03,12' or '{MEAN_METRIC}'"
        raise equation.wrong(f"setting {sharing!r} is not known; it may be {known}")
    return _agree(statement, _at_one_layer(equation, statement, sharing, MEAN_METRIC in words))


def _at_one_layer(equation: Equation, statement: Statement, sharing: str, mean_metric: bool) -> Iterator[Neurons]:
    names, samples = _numbered(statement)
    summed = summed_neurons(statement)
    for neurons in assignments(sharing, names):
        used = max(len(set(neurons.values())), 2)
        for count in (used, used + 1) if summed and len(names) < 3 else (used,):
            point = Point(max(len(names), 2), f"{equation.number} {neurons} {count}", neurons=count)
            if mean_metric:
                point.use_mean_metric()
            yield AtOneLayer(equation.rule, samples, point, neurons, summed)


def decide_weights(equation: Equation, form: str) -> Verdict:
    """Compare the sides for all ways in which samples may share neurons, above and below."""
    statement = equation.read(form)
    if not any(isinstance(node, syntax.Expectation) for node in _nodes(statement)):
        raise equation.wrong("a statement on weights needs an expectation such as E[W(3) Obs]")
    return _agree(statement, _over_weights(equation, statement))


def _over_weights(equation: Equation, statement: Statement) -> Iterator[Neurons]:
    names, samples = _numbered(statement)
    summed = summed_neurons(statement)
    matters = any(isinstance(node, syntax.Mark) and node.name in {"W", "delta_j"} for node in _nodes(statement))
    for above in assignments("", names):
        for below in assignments("", names) if matters else [dict.fromkeys(names, 0)]:
            if max(below.values(), default=0) < BELOW:
                sizes = max(len(set(above.values())), 2), max(len(names), 2)
                point = conditional_point(equation.rule, *sizes, equation.number)
                yield Weights(equation.rule, samples, point, above, summed, below)


def decide_metric(equation: Equation, form: str) -> Verdict:
    """Compare the sides at a random point."""
    statement = equation.read(form)
    nodes = list(_nodes(statement))
    if not any(isinstance(node, syntax.Mark) and node.name == METRIC for node in nodes):
        raise equation.wrong("a statement on the metric needs E[hatG(1,2)] or the like")
    if not any(isinstance(node, syntax.Component) and node.up for node in nodes):
        raise equation.wrong("a statement on the metric needs a tensor of the layer above, as V'")
    names, samples = _numbered(statement)
    point = Point(len(names), equation.number, neurons=max(len(names) // 2, 1))
    above = NeuronSums(equation.rule, point, range(len(names)))
    return _agree(statement, [OneLayerUp(equation.rule, samples, point, above, "n", {})])


def decide_action(equation: Equation, form: str) -> Verdict:
    """Compare with the expansion of the exponential, and see that the engine agrees with it."""
    if equation.setting not in ("", GAUSSIAN):
        raise equation.wrong(f"setting {equation.setting!r} is not known; known: {GAUSSIAN}")
    left, *rest = equation.read(form).sides
    name = left.name if isinstance(left, syntax.Call | syntax.Symbol) else ""
    if name not in MOMENTS or len(rest) != 1:
        raise equation.wrong(f"the left side must be one of {', '.join(MOMENTS)}")
    labels = left.labels if isinstance(left, syntax.Call) else ()
    right, remainder = remainder_of(rest[0])
    if remainder not in (None, syntax.Power(syntax.Symbol("eps"), 2)) or (remainder is None) != (
        equation.setting == GAUSSIAN
    ):
        raise equation.wrong(f"the remainder must be O(eps^2), or none in the setting {GAUSSIAN}")
    point = NearlyGaussian(equation.number)
    for at in product(range(SAMPLES), repeat=len(labels)):
        route = OfAction(equation.rule, dict(zip(labels, at, strict=True)), point)
        expected, stated = route.side(left), route.side(right)
        if expected.value != stated.value or (stated.slope != (0 if remainder is None else expected.slope)):
            return Verdict(MISMATCH, NUMERIC, 1.0, "the sides differ at a random point")
    if not point.engine_agrees(equation.rule):
        return Verdict(MISMATCH, BOTH, 1.0, "the engine's insertions do not give the average over this action")
    return Verdict(VERIFIED, BOTH)


def _nodes(statement: Statement) -> Iterator[Node]:
    return walk(*statement.sides)


def _numbered(statement: Statement) -> tuple[tuple[str, ...], dict[str, int]]:
    """The samples of a statement, and the number of each."""
    names = check_indices(statement)
    return names, {label: number for number, label in enumerate(names)}


def _agree(statement: Statement, evaluators: Iterable[Neurons]) -> Verdict:
    """Compare the sides of a statement wherever it is evaluated; both sides at the place where they differ."""
    for evaluator in evaluators:
        left, *others = [evaluator.side(side) for side in statement.sides]
        for right in others:
            if left != right:
                return _mismatch(left, right, evaluator)
    return Verdict(VERIFIED, NUMERIC)


def _mismatch(left: Dual, right: Dual, evaluator: Neurons) -> Verdict:
    order = "of order one" if left.value != right.value else "of order 1/n_prev"
    a, b = (left.value, right.value) if left.value != right.value else (left.slope, right.slope)
    shared: dict[int, str] = {}
    for label, number in evaluator.neurons.items():
        shared[number] = shared.get(number, "") + label
    where = f" with samples on neurons {','.join(shared.values())}" if len(evaluator.neurons) > 1 else ""
    rows = (f"left  {float(a):.10g}", f"right {float(b):.10g}")
    return Verdict(MISMATCH, NUMERIC, relative(a, b), f"the sides differ {order}{where}", rows)
