"""Gradient descent on trees against explicit functions of parameters; predictions against training carried out."""

from __future__ import annotations

import random
from copy import copy
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from pertheory.book.descent import step
from pertheory.book.indexed import PRIME, Pair, constant, evaluate, identity, monomials, solve
from pertheory.book.training import NEURONS, TRAINING, Training, after_a_step, symmetric

from pertheory.book.chapters import book_folder, read_chapter
from pertheory.book.check import decide
from pertheory.book.kinds.training import defined, prediction
from pertheory.book.parse import Words, parse_expression
from pertheory.book.syntax import Call
from pertheory.book.verdict import MISMATCH, VERIFIED
from pertheory.errors import InputError, RuleError
from pertheory.rulebook.observable import build

FILE = read_chapter(book_folder() / "chinf_training.toml")
EQUATION = {equation.number: equation for equation in FILE.equations}
PARAMETERS = 3


class Explicit:
    """Three outputs as explicit cubic polynomials of three parameters; the first two are trained."""

    def __init__(self) -> None:
        draw = random.Random(1)
        self.rates = [Fraction(draw.randint(1, 5), 3) for _ in range(PARAMETERS)]
        exponents = [e for e in product(range(4), repeat=PARAMETERS) if sum(e) <= 3]
        self.outputs = [{e: Fraction(draw.randint(-5, 5), 4) for e in exponents} for _ in range(3)]
        self.point = [Fraction(draw.randint(-4, 4), 3) for _ in range(PARAMETERS)]
        self.target = [Fraction(draw.randint(-4, 4), 5) for _ in range(2)]

    def derivative(self, output: int, along: tuple[int, ...], at: list[Fraction]) -> Fraction:
        """A derivative of an output with respect to some parameters."""
        poly = self.outputs[output]
        for mu in along:
            poly = {(*e[:mu], e[mu] - 1, *e[mu + 1 :]): c * e[mu] for e, c in poly.items() if e[mu]}
        total = Fraction(0)
        for e, c in poly.items():
            for value, power in zip(at, e, strict=True):
                c *= value**power
            total += c
        return total

    def tree(self, shape: str, outputs: tuple[int, ...], at: list[Fraction]) -> Fraction:
        """A tree of contracted derivatives, by its definition."""
        made = build(shape, "abcd"[: len(outputs)])
        total = Fraction(0)
        for of_edge in product(range(PARAMETERS), repeat=len(made.edges)):
            term = Fraction(1)
            for mu in of_edge:
                term *= self.rates[mu]
            for vertex, output in enumerate(outputs):
                along = tuple(mu for mu, edge in zip(of_edge, made.edges, strict=True) if vertex in edge)
                term *= self.derivative(output, along, at)
            total += term
        return total

    def errors(self) -> list[Fraction]:
        """Of the trained outputs."""
        return [self.derivative(i, (), self.point) - self.target[i] for i in range(2)]

    def moved(self, eta: Fraction) -> list[Fraction]:
        """The parameters after a step of gradient descent."""
        slopes = [
            sum((error * self.derivative(i, (mu,), self.point) for i, error in enumerate(self.errors())), Fraction(0))
            for mu in range(PARAMETERS)
        ]
        return [value - eta * rate * s for value, rate, s in zip(self.point, self.rates, slopes, strict=True)]

    def grafted(self, shape: str, outputs: tuple[int, ...]) -> list[Fraction]:
        """The coefficients of powers of eta that grafting leaves gives."""
        found = [Fraction(0)] * 4
        for coefficient, leaves, name, labels in step(build(shape, "123"[: len(outputs)])):
            for chosen in product(range(2), repeat=len(leaves)):
                output = dict(zip("123", outputs, strict=False)) | dict(zip(leaves, chosen, strict=True))
                term = coefficient * self.tree(name, tuple(output[label] for label in labels), self.point)
                for leaf in chosen:
                    term *= self.errors()[leaf]
                found[len(leaves)] += term
        return found


@pytest.mark.parametrize(("shape", "outputs", "order"), [("z", (2,), 3), ("H", (0, 2), 2), ("dH", (2, 0, 1), 1)])
def test_grafted_leaves_are_taylor_coefficients_of_a_step(shape, outputs, order):
    explicit = Explicit()
    degree = 3 * len(outputs)  # in eta, for cubic outputs
    points = [Fraction(k, 7) for k in range(degree + 1)]
    values = [explicit.tree(shape, outputs, explicit.moved(eta)) for eta in points]
    table = list(values)  # exact interpolation by Newton's divided differences
    for level in range(1, degree + 1):
        for i in range(degree, level - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (points[i] - points[i - level])
    power = [Fraction(0)] * (degree + 1)
    for i in range(degree, -1, -1):  # Horner's scheme from Newton's form to powers of eta
        shifted = [Fraction(0), *power[:-1]]
        power = [s - points[i] * c for s, c in zip(shifted, power, strict=True)]
        power[0] += table[i]
    assert power[: order + 1] == explicit.grafted(shape, outputs)[: order + 1]
    assert any(power[1:])


def test_training_that_ends_after_a_few_steps_ends_where_the_formula_says():
    """With eta Theta = 1 on the training set, errors are of first order after a step, and gone after two."""
    equation = EQUATION["inf.154"]
    point = Training("ends", defined(equation))
    point.theta = symmetric(point.random(3, 3), "H")
    point.theta[:TRAINING, :TRAINING] = solve(point.eta * identity(TRAINING) % PRIME, identity(TRAINING))
    mean = constant(np.kron(point.theta, identity(NEURONS)))
    point.kernel = Pair(mean.value, point.kernel.slope)
    left, right = prediction(equation)
    expected = evaluate(right, point.look, left.labels, NEURONS, neurons=True)
    now = point
    for _ in range(3):
        now = after_a_step(now)
    size = TRAINING * NEURONS
    errors = [(now.outputs[k][:size] - point.targets[k][:size]) % PRIME for k in (0, 1)]
    assert not errors[0].any()
    assert not errors[1].any()
    assert (now.outputs.value.reshape(3, NEURONS) == expected.value).all()
    assert (now.outputs.slope.reshape(3, NEURONS) == expected.slope).all()
    assert expected.slope.any()


def test_a_fourth_step_changes_nothing_but_a_first_one_does():
    equation = EQUATION["inf.154"]
    point = Training("moves", defined(equation))
    later = after_a_step(point)
    assert (point.outputs.value != later.outputs.value).all()
    assert later.kernel.slope.tolist() != point.kernel.slope.tolist()
    assert later.kernel.value.tolist() == point.kernel.value.tolist()


def with_statement(equation, statement):
    changed = copy(equation)
    object.__setattr__(changed, "statement", statement)
    return decide(changed).status


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        ("inf.z step", "eta^3/6", "eta^3/3"),
        ("inf.H step", "2 ddH_II", "ddH_II"),
        ("inf.106", "- f(a)", "+ f(a)"),
        ("inf.154", "Z_A(a,b,c,d)", "Z_A(b,a,c,d)"),
        ("inf.154", "Z_IIB", "Z_IB"),
        ("inf.Z_B, gradient descent", "eta/2", "eta"),
        ("inf.Y3", "+ Theta^(3,c)", "- Theta^(3,c)"),
        ("inf.m dNTK", "n_L Q(0,b,a,c)", "Q(0,b,a,c)"),
        ("inf.m ddII", "T(a,0,c,b)", "T(a,0,b,c)"),
    ],
)
def test_a_wrong_coefficient_sign_or_index_is_seen(number, old, new):
    equation = EQUATION[number]
    assert old in equation.statement
    assert decide(equation).status == VERIFIED
    assert with_statement(equation, equation.statement.replace(old, new, 1)) == MISMATCH


@pytest.mark.parametrize(
    ("number", "statement", "message"),
    [
        ("inf.154", "z_T(0) = z_0 - H(0,a) H^(0,b) r(b)", "index a stands in some"),
        ("inf.154", "z_T(0) = z_0 - H^(0,a) r(a)", "training set only"),
        ("inf.154", "z_T(0) = z_0 - Theta^(0,a) r(a)", "training set only"),
        ("inf.154", "z_T(0) = z_0 - V(0,a,b,b) r(a)", "index b stands"),
        ("inf.154", "z_T(0) = z_0 + V(0,a,b,c) r(a) r(b) r(c)", "no meaning"),
        ("inf.154", "2 z_T(0) = z_0", "one object"),
        ("inf.z step", "f(0) = z_0", "z_next"),
        ("inf.m NTK", "m_XY(0) = y(0)", "unknown name"),
        ("inf.m NTK", "yy(0,1) = K(0,1)", "m_NTK"),
        ("inf.Z_A", "sum_I(1) = r(1)", "no abbreviation"),
        ("inf.Z_A", "Z_A(1,2,3,4) = Theta^(1,3) r(2) r(4)", "carry a neuron"),
    ],
)
def test_what_has_no_meaning_is_refused_with_the_reason(number, statement, message):
    with pytest.raises(RuleError, match=message):
        with_statement(EQUATION[number], statement)


def test_only_numbers_may_divide():
    words = Words(frozenset({"eta"}), (("r", 1),))
    with pytest.raises(InputError, match="division"):
        list(monomials(parse_expression("1/eta r(a)", words)))


def test_the_infinite_width_prediction_is_not_the_one_at_finite_width():
    equation = copy(EQUATION["inf.154"])
    object.__setattr__(equation, "statement", "z_T(0) = z_0 - Theta(0,a) Theta^(a,b) r(b)")
    assert decide(equation).status == MISMATCH
    object.__setattr__(equation, "setting", "infinite width")
    assert decide(equation).status == VERIFIED


def test_errors_are_outputs_minus_targets():
    point = Training("r", {})
    error, output, target = (point.look(Call(name, ("0",))).array.value for name in ("r", "y", "y"))
    assert ((error + target - point.outputs.value.reshape(3, 2)) % PRIME == 0).all()
    assert (output == target).all()


@pytest.mark.parametrize(("objects", "message"), [('"r(a)"', "must be a list"), ('["r(1)"]', "must be of the form")])
def test_wrong_objects_are_refused_with_the_file(objects, message, tmp_path):
    file = tmp_path / "ch99.toml"
    file.write_text(f'chapter = "99"\ntitle = "x"\nobjects = {objects}\n')
    with pytest.raises(RuleError, match=rf"ch99\.toml: objects: .*{message}"):
        read_chapter(file)
