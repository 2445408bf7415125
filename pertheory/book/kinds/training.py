"""Training by gradient descent at order 1/n: steps, sums over steps, and where training ends.

What the objects of these statements mean stands in `pertheory.book.training`. Everything starts from one step of
gradient descent, which grafts leaves onto the engine's trees (`pertheory.book.descent`).

* "gradient step": ``z_next(0) = z_0 - eta H(0,a) r(a) + ...``, also H_next(0,1) and dH_next(0,1,2).
* "training sum": sides that are equal for every number t of steps: ``sum_II(1,2) = X_II(1,2,a,b) [r(a) r(b) - f(a)
  f(b)]`` with f the error after t steps at infinite width, sum_I, sum_II, sum_III eta times the sums over s < t of f,
  f f and f f f; driven by a source F: zI(1) after t steps, and sum_F, sum_zI eta times the sums of F and zI. Digits
  are in the training set.
* "trained": ``z_T(0) = ...``, the prediction at the end. It is one exactly if it is the same when training starts a
  step later, and is z where there is no error; since errors die out, there is only one such function, order by order
  in them. A statement about an abbreviation, such as ``Z_A(1,2,3,4) = ...``, replaces the abbreviation in z_T, and is
  decided likewise.

Settings: "infinite width", where the tangent kernel is its mean and does not move.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import lru_cache
from itertools import count

import numpy as np

from pertheory.book.abbreviations import relabel
from pertheory.book.chapters import Equation
from pertheory.book.indexed import PRIME, Array, Factor, Pair, constant, evaluate, plus
from pertheory.book.indices import check_indices, samples
from pertheory.book.parse import Words, parse_expression
from pertheory.book.syntax import Call, Node, Statement, Zed
from pertheory.book.training import NEURONS, TRAINING, Definitions, Training, after_a_step, stepped
from pertheory.book.verdict import MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.book.visit import walk
from pertheory.errors import RuleError

PREDICTION = "z_T"
STEPS = 3
INFINITE_WIDTH = "infinite width"
SETTINGS = ("", INFINITE_WIDTH)
WITH_NEURONS = ("f", "r", "sum_I", "sum_II", "sum_III", "zI", "sum_F", "sum_zI")
_FRESH = count()  # every copy of a formula gets dummies of its own
_NEXT = {"z_next": "z", "H_next": "H", "dH_next": "dH"}


def defined(equation: Equation) -> Definitions:
    """The abbreviations of a file as nodes."""
    return {item.name: (item.labels, _node(item.text, equation.words)) for item in equation.definitions}


@lru_cache(maxsize=500)
def _node(text: str, words: Words) -> Node:
    return parse_expression(text, words)


def read(equation: Equation, form: str) -> Statement:
    """The statement, abbreviations kept, its indices and its setting checked."""
    if equation.setting not in SETTINGS:
        raise RuleError(f"{equation.place}: equation {equation.number}: setting {equation.setting!r} is not known")
    statement = equation.parsed(form)
    check_indices(statement)
    return statement


def two_sides(equation: Equation, form: str) -> tuple[Call, Node]:
    """What a statement is about, and what it says."""
    left, *rest = read(equation, form).sides
    if not isinstance(left, Call) or len(rest) != 1 or not all(label.isdigit() for label in left.labels):
        raise RuleError(f"{equation.place}: equation {equation.number}: the left side must be one object, as z_T(0)")
    return left, rest[0]


def verdict(differs: bool, note: str = "") -> Verdict:
    """Equal or not, at a random point modulo a prime."""
    if differs:
        return Verdict(MISMATCH, NUMERIC, 1.0, note or "the sides differ at a random point")
    return Verdict(VERIFIED, NUMERIC, note=note)


def same(a: Pair, b: Pair, setting: str = "") -> bool:
    """Equal values and, at finite width, equal slopes."""
    if a.value.shape != b.value.shape or np.any((a.value - b.value) % PRIME):
        return False
    return setting == INFINITE_WIDTH or not np.any((a.slope - b.slope) % PRIME)


def decide_step(equation: Equation, form: str) -> Verdict:
    """Compare with leaves grafted onto the tree."""
    left, right = two_sides(equation, form)
    if left.name not in _NEXT:
        raise RuleError(
            f"{equation.place}: equation {equation.number}: the left side must be z_next, H_next or dH_next"
        )
    point = Training(equation.number, defined(equation))
    if equation.setting != INFINITE_WIDTH:
        point = copy(point)
        point.kernel = Pair(point.kernel.slope, point.kernel.slope)
        point.trees = {name: Pair(tree.slope, tree.slope) for name, tree in point.trees.items()}
    shape = _NEXT[left.name]
    found = stepped(point, shape)
    stated = evaluate(right, point.look, left.labels, NEURONS, neurons=True)
    order = [x for i in range(len(left.labels)) for x in (i, len(left.labels) + i)]
    value = stated.value.transpose(order).reshape(found.value.shape)
    return verdict(bool(((value - found.value) % PRIME).any()))


def decide_sum(equation: Equation, form: str) -> Verdict:
    """Compare the sides after 0, 1, 2, .. steps."""
    statement = read(equation, form)
    names = sorted(frozenset().union(*(samples(side) for side in statement.sides)))
    nodes = [node for side in statement.sides for node in walk(side)]
    with_neurons = any(isinstance(node, Call) and node.name in WITH_NEURONS for node in nodes)
    point = Training(equation.number, defined(equation), everywhere=False)
    stochastic = copy(point)
    stochastic.kernel = constant((point.kernel.value + point.kernel.slope) % PRIME)
    for moment in history(point, stochastic.kernel.value):

        def look(node: Node, moment: dict[str, Array] = moment) -> Factor:
            if isinstance(node, Call) and node.name in moment:
                return on_training(moment[node.name], node.labels)
            return stochastic.look(node)

        found = [evaluate(side, look, names, NEURONS, with_neurons) for side in statement.sides]
        if not all(same(found[0], other) for other in found[1:]):
            return verdict(True)
    return verdict(False)


def history(point: Training, kernel: Array) -> Iterator[dict[str, Array]]:
    """Errors and sums over steps after 0, 1, .. `STEPS` steps.

    The error at infinite width changes as the engine's trees say for one step; zI is driven by a random source F and
    damped by the kernel.
    """
    size = TRAINING * NEURONS
    kernel = kernel[:size, :size]
    sums = [np.zeros((size,) * power, dtype=object) for power in (1, 2, 3)]
    driven, sum_driven, sum_source = (np.zeros(size, dtype=object) for _ in range(3))
    now = copy(point)
    now.everywhere = True
    for _ in range(STEPS + 1):
        error = plus(now.outputs, now.targets, -1).value[:size]
        source = point.random(size)
        yield {
            "f": error,
            "sum_I": sums[0],
            "sum_II": sums[1],
            "sum_III": sums[2],
            "zI": driven,
            "sum_F": sum_source,
            "sum_zI": sum_driven,
        }
        power = error
        for number, total in enumerate(sums):
            sums[number] = (total + point.eta * power) % PRIME
            power = np.multiply.outer(power, error) % PRIME
        sum_source = (sum_source + point.eta * source) % PRIME
        sum_driven = (sum_driven + point.eta * driven) % PRIME
        driven = (driven + point.eta * (source - kernel @ driven)) % PRIME
        now.outputs = constant(stepped(now, "z").value)


def on_training(array: Array, labels: tuple[str, ...]) -> Factor:
    """An array over training samples and neurons, at labels."""
    order = [2 * i for i in range(len(labels))] + [2 * i + 1 for i in range(len(labels))]
    return Factor(constant(array.reshape((TRAINING, NEURONS) * len(labels)).transpose(order)), labels, labels)


def decide_trained(equation: Equation, form: str) -> Verdict:
    """See whether the prediction stays the same when training starts a step later."""
    left, right = two_sides(equation, form)
    definitions = dict(defined(equation))
    if left.name != PREDICTION:
        if left.name not in definitions:
            raise RuleError(f"{equation.place}: equation {equation.number}: {left.name} is no abbreviation of the file")
        letters = dict(zip(left.labels, "opqrstuvw", strict=False))
        definitions[left.name] = (tuple(letters.values()), relabel(right, letters, _FRESH))
        left, right = prediction(equation)
    setting = equation.setting
    now = Training(equation.number, definitions)
    later = after_a_step(now)
    rest = copy(now)
    rest.targets = rest.outputs

    def at(point: Training) -> Pair:
        return evaluate(right, point.look, left.labels, NEURONS, neurons=True)

    if not same(at(now), at(later), setting):
        return verdict(True, "the prediction changes when training starts a step later")
    if not same(at(rest), evaluate(Zed(left.labels[0]), rest.look, left.labels, NEURONS, neurons=True), setting):
        return verdict(True, "without an error the prediction is not the output")
    return verdict(False)


def prediction(equation: Equation, label: str = "0") -> tuple[Call, Node]:
    """The prediction at the end of training, as the file's abbreviation z_T defines it, for any sample."""
    definitions = defined(equation)
    if PREDICTION not in definitions:
        raise RuleError(f"{equation.place}: equation {equation.number}: the file has no abbreviation {PREDICTION}")
    (letter,), node = definitions[PREDICTION]
    return Call(PREDICTION, (label,)), relabel(node, {letter: label}, _FRESH)
