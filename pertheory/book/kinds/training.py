"""Training by gradient descent at order 1/n: steps, sums over steps, where training ends, and what it is on average.

What the objects of these statements mean stands in `pertheory/training/state.py`. Everything starts from one step of
gradient descent, which grafts leaves onto the engine's trees. All numbers are residues at a random point.

* "gradient step": ``z_next(0) = z_0 - eta H(0,a) r(a) + ...``, also H_next(0,1), dH_next(0,1,2) and the loss L_next.
* "training sum": sides that are equal for every number t of steps: ``sum_II(1,2) = X_II(1,2,a,b) [r(a) r(b) - f(a)
  f(b)]`` with f the error after t steps at infinite width, sum_I, sum_II, sum_III eta times the sums over s < t of f,
  f f and f f f; driven by a source F: zI(1) after t steps, and sum_F, sum_zI eta times the sums of F and zI. Digits
  are in the training set.
* "trained": ``z_T(0) = ...``, the prediction at the end. It is one exactly if it is the same when training starts a
  step later, and is z where there is no error; since errors die out, there is only one such function, order by order
  in them. A statement about an abbreviation, such as ``Z_A(1,2,3,4) = ...``, replaces the abbreviation in z_T, and is
  decided likewise.
* "mean prediction": ``m_dNTK(0) = - [...] y(d)``, the average over initialisations of the file's z_T: m_NTK is its
  leading part; m_DeltaNTK, m_dNTK, m_ddI, m_ddII are what fluctuations of the tangent kernel, its first and its second
  differentials add at order 1/n, after M(0) - Theta(0,a) Theta^(a,b) M(b) has been taken. ``y(a)`` is the target of the
  output in question, ``yy(a,b)`` a product of targets summed over outputs. ``covariance(0,1)`` is that of predictions
  of one output, at infinite width.

Settings: "infinite width", where the tangent kernel is its mean and does not move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from pertheory.book import engine, syntax
from pertheory.book.equation import Equation
from pertheory.book.formulas import formula_of
from pertheory.book.indices import check_indices, samples
from pertheory.book.parse import Words, parse_expression, tensor_sizes
from pertheory.book.syntax import Statement
from pertheory.book.verdict import MISMATCH, NUMERIC, VERIFIED, Verdict
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.tensors import find_tensor, tensor_of
from pertheory.training.arithmetic import FLOATS, RESIDUES, Array, DualArray
from pertheory.training.averages import Ensemble, random_tensor
from pertheory.training.contraction import Labelled
from pertheory.training.ends import end_of_training
from pertheory.training.formula import Abbreviations, Formula, Object, renamed
from pertheory.training.state import Objects, TrainingState, mean_kernel, random_state
from pertheory.training.steps import TimeSums, after_a_step, stepped, sums_over_steps
from pertheory.training.times import Course, Descent

PREDICTION = "z_T"
STEPS = 3
INFINITE_WIDTH = "infinite width"
COVARIANCE = "covariance"
#: the loss after a step
LOSS = "L_next"
#: the trees of which the left side tells what a step makes
STEPPED = {"z_next": "z", "H_next": "H", "dH_next": "dH"}
#: order of 1/n, and the random trees of the terms
CONTRIBUTIONS = {
    "m_NTK": (0, ()),
    "m_DeltaNTK": (1, ("H",)),
    "m_dNTK": (1, ("dH",)),
    "m_ddI": (1, ("ddH_I",)),
    "m_ddII": (1, ("ddH_II",)),
}
WITH_NEURONS = ("f", "r", "sum_I", "sum_II", "sum_III", "zI", "sum_F", "sum_zI")
#: n_L in averages; no coefficient of these formulas, so that it cannot be mistaken for one
OUTPUTS = 3
#: the learning rate of what is summed in floating point
RATE = 0.6


def decide_step(equation: Equation, form: str) -> Verdict:
    """Compare with leaves grafted onto the tree."""
    left, right = _two_sides(equation, form)
    if left.name not in (*STEPPED, LOSS):
        raise equation.wrong(f"the left side must be z_next, H_next, dH_next or {LOSS}")
    state = random_state(equation.number)
    if equation.setting != INFINITE_WIDTH:
        trees = {name: RESIDUES.constant(tree.slope) for name, tree in state.trees.items()}
        state = replace(state, kernel=RESIDUES.constant(state.kernel.slope), trees=trees)
    stated = Objects(state, abbreviations_of(equation)).evaluate(right, left.labels)
    found = _loss(state) if left.name == LOSS else stepped(state, STEPPED[left.name])
    return _verdict(_same(stated, found, INFINITE_WIDTH))


def _loss(state: TrainingState) -> DualArray:
    """The loss after a step, half the sum of squared errors on the training set."""
    outputs = stepped(state, "z")
    errors = RESIDUES.plus(outputs, state.targets, -1).value[: state.training]
    return RESIDUES.constant((errors * errors).sum() * RESIDUES.number(Fraction(1, 2)))


def decide_sum(equation: Equation, form: str) -> Verdict:
    """Compare the sides after 0, 1, 2, .. steps."""
    statement = _read(equation, form)
    names = sorted(frozenset().union(*(samples(side) for side in statement.sides)))
    sides = [formula_of(side) for side in statement.sides]
    with_neurons = any(item.name in WITH_NEURONS for side in sides for term in side for item in term.factors)
    start = random_state(equation.number)
    kernel = RESIDUES.constant(RESIDUES.array(start.kernel.value + start.kernel.slope))
    objects = AfterSteps(replace(start, kernel=kernel), abbreviations_of(equation), everywhere=False)
    for sums in sums_over_steps(start, kernel.value, STEPS, equation.number):
        objects.after(sums)
        first, *others = [objects.evaluate(side, names, with_neurons) for side in sides]
        if not all(_same(first, other) for other in others):
            return _verdict(False)
    return _verdict(True)


class AfterSteps(Objects):
    """Objects after some steps, for digits in the training set."""

    arrays: Mapping[str, Array]

    def after(self, sums: TimeSums) -> None:
        """Take what has come about after some steps, by the names of the notation."""
        errors = {f"sum_{'I' * power}": array for power, array in enumerate(sums.errors, 1)}
        self.arrays = {"f": sums.error, "zI": sums.driven, "sum_F": sums.sources, "sum_zI": sums.drives, **errors}

    def __call__(self, item: Object) -> Labelled:
        """Besides what training knows, errors and sums over steps."""
        if item.name in self.arrays:
            return Labelled(RESIDUES.constant(self.arrays[item.name]), item.labels, item.labels)
        return super().__call__(item)


def decide_trained(equation: Equation, form: str) -> Verdict:
    """See whether the prediction stays the same when training starts a step later."""
    left, right = _two_sides(equation, form)
    abbreviations = dict(abbreviations_of(equation))
    if left.name != PREDICTION:
        if left.name not in abbreviations:
            raise equation.wrong(f"{left.name} is no abbreviation of the file")
        letters = {label: f"{label}'" for label in left.labels}  # as letters, they run over the training set
        abbreviations[left.name] = tuple(letters.values()), renamed(right, lambda label: letters.get(label, label))
        left, right = syntax.Call(PREDICTION, ("0",)), prediction_of(equation, "0")
    now = random_state(equation.number)
    rest = replace(now, targets=now.outputs)
    objects = Objects(now, abbreviations)
    found, later, still = (objects.at(s).evaluate(right, left.labels) for s in (now, after_a_step(now), rest))
    if not _same(found, later, equation.setting):
        return _verdict(False, "the prediction changes when training starts a step later")
    if not _same(still, rest.outputs, equation.setting):
        return _verdict(False, "without an error the prediction is not the output")
    start, course = _in_modes(equation.number)
    summed = Objects(start, abbreviations).evaluate(right, left.labels)
    ends = end_of_training(start, course)
    holds = FLOATS.equal(summed.value, ends.value)
    holds &= equation.setting == INFINITE_WIDTH or FLOATS.equal(summed.slope, ends.slope)
    return _verdict(holds, "the sum over all chains of events is another")


def _in_modes(seed: str) -> tuple[TrainingState, Course]:
    """A random state in floating point, Theta diagonal on the training set, and its training to the end."""
    start = random_state(seed, arithmetic=FLOATS)
    rates, size = [RATE] * start.training, start.training
    values = FLOATS.array([1 / (2 + number) for number in range(size)])
    theta = start.theta.copy()
    for number, value in enumerate(values):
        theta[number, :size] = [value * (number == other) for other in range(size)]
    kernel = mean_kernel(theta, start.neurons, FLOATS)._replace(slope=start.kernel.slope)
    return replace(start, eta=RATE, theta=theta, kernel=kernel), Descent(values, FLOATS.array(rates))


def decide_mean(equation: Equation, form: str) -> Verdict:
    """Compare with the average of the prediction over initialisations, or with its covariance."""
    left, right = _two_sides(equation, form)
    if left.name not in (*CONTRIBUTIONS, COVARIANCE):
        raise equation.wrong(f"the left side must be one of {', '.join((*CONTRIBUTIONS, COVARIANCE))}")
    if len(left.labels) != 1 + (left.name == COVARIANCE):
        raise equation.wrong(f"{left.name} has {1 + (left.name == COVARIANCE)} labels, not {len(left.labels)}")
    state = random_state(equation.number, OUTPUTS)
    tensors = {find_tensor("H")[0].kind: state.theta}

    def tensor(kind: TensorType) -> Array:
        if kind not in tensors:
            tensors[kind] = random_tensor(kind, len(state.theta), equation.number)
        return tensors[kind]

    def derived(kind: TensorType) -> Array | None:
        return tensor(kind) if engine.terms_of(equation.rule, tensor_of(kind).kind, 0) else None

    abbreviations = abbreviations_of(equation)
    ensemble = Ensemble(Objects(state, abbreviations), derived)
    stated = OneOutput(state, abbreviations, tensor).evaluate(right, left.labels, neurons=False).value
    prediction, *others = (prediction_of(equation, label) for label in left.labels)
    if left.name == COVARIANCE:
        return _verdict(RESIDUES.equal(stated, ensemble.covariance(prediction, others[0], left.labels).value))
    order, trees = CONTRIBUTIONS[left.name]
    if order:
        trained = RESIDUES.array(state.inverse @ stated[: state.training])
        stated = RESIDUES.array(stated - state.theta[:, : state.training] @ trained)
    return _verdict(RESIDUES.equal(stated, ensemble.average(prediction, left.labels, order, trees).value[:, 0]))


class OneOutput(Objects):
    """Objects of statements about one output, averaged over initialisations."""

    def __init__(
        self, state: TrainingState, abbreviations: Abbreviations, tensor: Callable[[TensorType], Array]
    ) -> None:
        super().__init__(state, abbreviations)
        self.tensor = tensor

    def __call__(self, item: Object) -> Labelled:
        """Besides what training knows, the tensors; y of the outer neuron, and yy(a,b) summed over neurons."""
        targets = self.state.targets.value
        match item:
            case Object("y"):
                array = targets[:, 0]
            case Object("yy"):
                array = targets @ targets.T
            case Object(name, _, False) if name not in ("H", "Theta") and name in tensor_sizes():
                named = find_tensor(name)[0]
                array = self.tensor(named.kind).transpose(named.slots)
            case _:
                return super().__call__(item)
        return Labelled(RESIDUES.constant(array[self.cut(item.labels)]), item.labels)


def _read(equation: Equation, form: str) -> Statement:
    """The statement, abbreviations kept, its indices and its setting checked."""
    if equation.setting not in ("", INFINITE_WIDTH):
        raise equation.wrong(f"setting {equation.setting!r} is not known")
    statement = equation.parsed(form)
    check_indices(statement)
    return statement


def _two_sides(equation: Equation, form: str) -> tuple[syntax.Call, Formula]:
    """What a statement is about, and what it says."""
    left, *rest = _read(equation, form).sides
    if not isinstance(left, syntax.Call) or len(rest) != 1 or not all(label.isdigit() for label in left.labels):
        raise equation.wrong("the left side must be one object, as z_T(0)")
    return left, formula_of(rest[0])


def abbreviations_of(equation: Equation) -> Abbreviations:
    """The abbreviations of the file of an equation."""
    return {item.name: (item.labels, _formula(item.text, equation.words)) for item in equation.definitions}


@lru_cache(maxsize=500)
def _formula(text: str, words: Words) -> Formula:
    return formula_of(parse_expression(text, words))


def prediction_of(equation: Equation, label: str) -> Formula:
    """The prediction at the end of training, as the file's abbreviation z_T defines it, for a sample."""
    known = abbreviations_of(equation)
    if PREDICTION not in known:
        raise equation.wrong(f"the file has no abbreviation {PREDICTION}")
    labels, formula = known[PREDICTION]
    if len(labels) != 1:
        raise equation.wrong(f"{PREDICTION} has one label, not {len(labels)}")
    (letter,) = labels
    return renamed(formula, lambda other: label if other == letter else f"{other}#{label}")


def _same(a: DualArray, b: DualArray, setting: str = "") -> bool:
    """Equal values and, at finite width, equal slopes."""
    return RESIDUES.equal(a.value, b.value) and (setting == INFINITE_WIDTH or RESIDUES.equal(a.slope, b.slope))


def _verdict(holds: bool, note: str = "the sides differ at a random point") -> Verdict:
    return Verdict(VERIFIED, NUMERIC) if holds else Verdict(MISMATCH, NUMERIC, 1.0, note)
