"""Solved recursions, expansions and limits: the algebra against other routes, and that every kind can fail."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
from pertheory.book.classes import Generic, PiecewiseLinear, SmallKernel, hermite, rational, rational_functions
from pertheory.book.depth import CriticalDepth, at_layer, sum_of_powers
from pertheory.book.large_depth import LargeDepth, kernel_decay
from pertheory.book.moments import Moments, loops
from pertheory.book.one_input import OneInput
from pertheory.book.precise import Precise
from sympy.polys.domains import QQ

import pertheory as pt
from pertheory.averages.gaussian import GaussianAverages
from pertheory.book.chapters import read_chapter
from pertheory.book.check import decide
from pertheory.book.kinds import asymptotics, critical, solution
from pertheory.book.point import Point
from pertheory.book.verdict import MISMATCH, UNCHECKED, VERIFIED
from pertheory.errors import DivergentAverageError, RuleError, UnsupportedError
from pertheory.rulebook.activation import activation
from pertheory.rulebook.network import network
from pertheory.rulebook.taylor import jet

LINES = [
    (("s", 0), ("s", 0)),
    (("s", 1), ("s", 1)),
    (("s", 0), ("s", 0), ("s", 1), ("s", 1)),
    (("s", 0), ("s", 0), ("s", 0), ("s", 0)),
    (("s", 1), ("s", 1), ("s", 1), ("s", 1)),
    (("s", 1), ("s", 2)),
]


# -- averages of the classes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("legs", "lines"), list(product(range(5), LINES)))
def test_averages_of_two_slopes_are_those_of_the_numeric_room(legs, lines):
    if (legs + sum(order for _, order in lines)) % 2:
        return  # odd ones are not rational
    of, names = rational_functions(["K"])
    functions = PiecewiseLinear(of, of(1), of(rational(Fraction(3, 10))))
    exact = functions.average(names["K"], legs, lines)
    value = Fraction(str(exact.numer(rational(2)) / exact.denom(rational(2)))) if exact else Fraction(0)
    numeric = GaussianAverages({"s": activation("leaky_relu", slope=0.3)})(np.array([[2.0]]), [((legs, lines),)])[0]
    assert float(value) == pytest.approx(numeric.item(), rel=1e-9, abs=1e-12)


def test_averages_that_depend_on_how_a_corner_is_smoothed_are_refused():
    of, names = rational_functions(["K"])
    relu = PiecewiseLinear(of, of(1), of(0))
    for lines in ((("s", 2), ("s", 2)), (("s", 1), ("s", 3)), (("s", 1), ("s", 1), ("s", 2), ("s", 2))):
        with pytest.raises(DivergentAverageError, match="smoothed"):
            relu.average(names["K"], 0, lines)


@pytest.mark.parametrize("legs", range(4))
@pytest.mark.parametrize("lines", [*LINES, (("id", 0), ("s", 0)), (("id", 0), ("id", 0), ("s", 0), ("s", 2))])
def test_averages_at_small_k_and_of_symbols_are_exact_for_polynomials(legs, lines):
    # a polynomial with s(0) = 0: the series in K ends, and Wick's sums (`exact`) know nothing of either class
    point = Point(1, "seed")
    point.activation[0] = 0
    kernel = point.kernel[0][0].value
    derivatives = [QQ(math.factorial(k) * c) for k, c in enumerate(point.activation)][1:] + [QQ(0)] * 40
    series = SmallKernel(QQ, derivatives, 12)
    expected = wick(point, legs, lines)
    coefficients = series.average(series.kernel, legs, lines).coefficients
    assert sum(Fraction(str(c)) * kernel**k for k, c in enumerate(coefficients)) == expected

    def of_lines(orders):
        return wick(point, 0, tuple(("s", order) for order in orders))

    assert Generic(of_lines, Fraction).average(kernel, legs, lines) == expected


def wick(point, legs, lines):
    """The average by sums over pairings."""
    inside = {(0,): 1}
    for name, order in lines:
        factor = {(1,): 1} if name == "id" else {k: v.value for k, v in point.function(order, 0).items()}
        inside = {
            (i + j,): sum(u * v for ((a,), u), ((b,), v) in product(inside.items(), factor.items()) if a + b == i + j)
            for (i,), (j,) in product(inside, factor)
        }
    for _ in range(legs):
        inside = {(k - 1,): k * v for (k,), v in inside.items() if k}
    return sum((v * point.moment(k).value for k, v in inside.items()), Fraction(0))


def test_hermite_polynomials():
    assert [hermite(n) for n in range(5)] == [[1], [0, 1], [-1, 0, 1], [0, -3, 0, 1], [3, 0, -6, 0, 1]]


# -- depth ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", range(7))
def test_sums_of_powers(power):
    for layer in range(1, 8):
        polynomial = sum(c * layer**k for k, c in enumerate(sum_of_powers(power)))
        assert polynomial == sum(m**power for m in range(1, layer))


def test_off_criticality_there_is_no_solution_in_powers_of_the_depth():
    of, names = rational_functions(["K", "lambda_b", "lambda_W"])
    relu = PiecewiseLinear(of, of(1), of(0))
    couplings = {"C_b": of(0), "C_W": of(3), "lambda_b": names["lambda_b"], "lambda_W": names["lambda_W"]}
    with pytest.raises(UnsupportedError, match="fixed point"):
        CriticalDepth(OneInput(pt.network("mlp"), relu, couplings, names["K"]), {})


def test_relu_solutions_are_the_closed_forms_of_the_literature():
    # C_W = 2, C_b = lambda_b = 0, lambda_W = 1, K = 1: closed forms in the depth, from another derivation
    setting = solution.setting_of("ReLU", pt.network("mlp"))
    depth, of = setting.depth, setting.of

    def value(name, layer):
        found = at_layer(depth.solution(depth.step.node(name)), of(layer), of(0))
        point = {"K": 1, "lambda_b": 0, "lambda_W": 1}
        values = [rational(point.get(str(symbol), 0)) for symbol in of.symbols]
        return Fraction(str(found.numer(*values) / found.denom(*values)))

    for layer in range(1, 6):
        theta = value("Theta", layer)
        assert theta == Fraction(layer, 2)
        assert value("V", layer) == 5 * (layer - 1)
        assert value("F", layer) == (layer - 1) * theta
        assert value("D", layer) == 3 * (layer - 1) * theta
        assert value("A", layer) == Fraction((layer - 1) * (7 * layer - 2), 3 * layer) * theta**2
        assert value("B", layer) == Fraction((layer - 1) * (2 * layer - 1), 3 * layer) * theta**2


# -- large depth ---------------------------------------------------------------------------------------------


def test_tanh_in_the_emitted_code_follows_the_leading_powers():
    depth = 400
    rates = {
        "lambda_b": [0.4 / layer for layer in range(1, depth + 1)],
        "lambda_W": [0.7] * depth,
    }
    model = pt.theory("mlp", ["G", "V", "D", "F", "B"], 1).compile(inputs="one")
    states = model([[0.5]], activation="tanh", depth=depth, C_b=0.0, C_W=1.0, **rates)
    setting = asymptotics.setting_of(pt.network("mlp"), "K*=0, odd")
    a_1, w = -2.0, 0.7 / 2
    total = 0.4 + w
    expected = {
        "G": -1 / a_1 / depth,
        "V": 2 / 3 / a_1**2 / depth,
        "G{1}": 1 / 3 / a_1,
        "F": total / 4 / -a_1,
        "B": total**2 / 3 * depth,
        "D": 2 / 9 / -a_1 * (w - total),
    }
    for name, leading in expected.items():
        found = [states[layer][name].item() for layer in (depth, depth // 2, depth // 4)]
        growth = setting.depth.leading(setting.depth.step.node("K" if name == "G" else name))
        power = float(growth.power)
        scaled = [value * layer**power for value, layer in zip(found, (depth, depth // 2, depth // 4), strict=True)]
        limit = asymptotics.extrapolated([depth, depth // 2, depth // 4], scaled)
        assert limit == pytest.approx(leading * depth**power, rel=0.02), name


def test_the_logarithm_of_the_kernel_shows_in_an_iteration():
    of = QQ
    functions = SmallKernel(of, [of(1), of(0), of(-2), of(0), of(16), *[of(0)] * 20], 3)
    step = OneInput(
        pt.network("mlp"), functions, {"C_b": functions.number(0), "C_W": functions.number(1)}, functions.kernel
    )
    decay = kernel_decay(step.kernel_above)
    coefficients = [float(c) for c in step.kernel_above.coefficients]
    kernel, depth = 0.05, 200_000
    inverse = []
    for layer in range(1, depth + 1):
        kernel = sum(c * kernel**k for k, c in enumerate(coefficients))
        if layer in (depth // 4, depth):
            inverse.append(1 / kernel - float(decay.scale) * layer)
    # 1/K = scale (l + log_term log l + constant)
    assert (inverse[1] - inverse[0]) / math.log(4) == pytest.approx(float(decay.scale * decay.log_term), rel=1e-3)


def test_a_kernel_that_decays_as_a_root_is_refused_where_one_over_l_is_taken():
    functions = SmallKernel(QQ, [QQ(3, 4), QQ(0), QQ(0), QQ(0), QQ(-48), *[QQ(0)] * 20], 3)
    variance = functions.number(Fraction(16, 9))
    couplings = {"C_b": functions.number(0), "C_W": variance, "lambda_b": variance, "lambda_W": variance}
    step = OneInput(pt.network("mlp"), functions, couplings, functions.kernel)
    assert kernel_decay(step.kernel_above)[:2] == (2, 32)
    with pytest.raises(UnsupportedError, match="a_1 = 0"):
        LargeDepth(step, lambda value: True)


def test_a_homogeneous_solution_that_is_not_subdominant_is_refused():
    functions = SmallKernel(QQ, [QQ(1), QQ(0), QQ(-2), *[QQ(0)] * 20], 2)
    one = functions.number(1)
    couplings = {"C_b": functions.number(0), "C_W": one, "lambda_b": one * functions.kernel, "lambda_W": one}
    depth = LargeDepth(OneInput(pt.network("mlp"), functions, couplings, functions.kernel), lambda value: value < 2)
    with pytest.raises(UnsupportedError, match="subdominant"):
        depth.leading(depth.step.node("V"))


# -- moments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slopes", "second"), [((1, 1), (1, 3, 15, 105)), ((1, 0), (1, 6, 60, 840))])
@pytest.mark.parametrize("pairs", [2, 3, 4])
def test_moments_of_a_layer_are_those_of_a_sum_of_independent_squares(slopes, second, pairs):
    """Given the layer below, G_2m is C_W^m E[(mean of x_j)^m], x_j = s(z_j)^2 independent.

    With C_W = 1/E[x] and z standard normal E[x^k]/E[x]^k is (2k-1)!! for s = z, and half of it times 2^k for ReLU.
    """
    moments = Moments(slopes, 2, 3)
    n = 7
    expected = mean_power(n, pairs, second)
    found = moments.moment(2, pairs) / (moments.variance**2 * moments.input_kernel) ** pairs
    half = Fraction(1, 2) if slopes == (1, 0) else Fraction(1)
    values = [rational(Fraction(1, n)) if str(symbol) == "N_1" else rational(1) for symbol in moments.of.symbols]
    value = Fraction(str(found.numer(*values) / found.denom(*values)))
    # one layer: the moment is a polynomial of degree m - 1 <= 3 in 1/n, so nothing is cut off
    assert value == expected * half**pairs


def mean_power(n, power, moments):
    """E[(1/n sum x_j)^power] for independent x_j with E[x^k] = moments[k - 1]."""
    total = Fraction(0)
    for choice in product(range(n), repeat=power):
        term = 1
        for j in set(choice):
            term *= moments[choice.count(j) - 1]
        total += term
    return total / n**power


def test_loops_are_the_coefficients_of_a_rising_product():
    for pairs, counts in {1: (1,), 2: (2, 1), 3: (8, 6, 1), 4: (48, 44, 12, 1)}.items():
        assert loops(pairs) == counts
        for n in (3, 4):
            assert sum(c * n**k for k, c in enumerate(counts, 1)) == math.prod(n + 2 * s for s in range(pairs))


# -- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["swish", "gelu", "tanh", "sin", "softplus", "gelu_tanh", "gaussian", "x3"])
@pytest.mark.parametrize("x", [-1.7, 0.4, 2.5])
def test_taylor_arithmetic_gives_the_derivatives(name, x):
    function = activation(name)
    coefficients = jet(function.pieces[0].node, x, 5, dict(function.parameters))
    for order, c in enumerate(coefficients):
        assert float(c) * math.factorial(order) == pytest.approx(
            float(function.derivative(order)(x)), rel=1e-10, abs=1e-10
        )


def test_precise_averages_are_those_of_the_numeric_room():
    precise = Precise(activation("gelu"))
    numeric = GaussianAverages({"s": activation("gelu")}, rtol=1e-12)
    for legs, lines in product(range(3), LINES):
        with mpmath.workdps(25):
            value = float(precise.average(mpmath.mpf(2), legs, lines))
        assert value == pytest.approx(numeric(np.array([[2.0]]), [((legs, lines),)])[0].item(), rel=1e-9, abs=1e-12)


def test_a_critical_point_stands_still_in_a_run():
    point, _ = critical.half_stable(["swish", " half-stable"][0])
    variance, bias, kernel = (float(x) for x in (point.values["C_W"], point.values["C_b"], point.kernel))
    scale = math.sqrt((kernel - bias) / variance)
    states = pt.theory("mlp", ["G", "H"], 0).compile(inputs="one")(
        [[scale]], activation="swish", depth=50, C_b=bias, C_W=variance, lambda_b=1.0, lambda_W=0.0
    )
    assert states[50]["G"].item() == pytest.approx(kernel, rel=1e-7)
    assert states[50]["H"].item() == pytest.approx(50, rel=1e-6)  # chi_perp = 1: every layer adds lambda_b


def test_an_activation_without_the_point_is_told():
    with pytest.raises(UnsupportedError, match="0 critical points"):
        critical.half_stable("softplus")
    with pytest.raises(UnsupportedError, match=r"s\(0\) != 0"):
        critical.AtZero(activation("sigmoid"))


# -- every kind can fail -------------------------------------------------------------------------------------

HEAD = """
chapter = "1"
title = "one"
symbols = ["a_plus", "a_minus", "l", "r", "G_0", "G_2", "G_4", "E_O", "E_O2", "sigma_1", "sigma_2", "sigma_3", "a_1",
    "a_2", "b_1", "p", "tilde_b", "tilde_W", "dK_1", "ddK_2", "ddK_0", "f", "f_split", "points", "decay", "psi",
    "cos_psi", "sin_psi", "pi"]
[definitions]
"A_2" = "(a_plus^2 + a_minus^2)/2"
"A_4" = "(a_plus^4 + a_minus^4)/2"
"w" = "tilde_W sigma_1^2/(-a_1)"
"T_0" = "tilde_b + w"
"chi_par" = "C_W <s'' s + s' s'>"
"chi_perp" = "C_W <s' s'>"
"h" = "C_W/2 <s''' s' + s'' s''>"
"rho" = "(a_plus - a_minus)^2/((a_plus^2 + a_minus^2) pi)"
[[equation]]
number = "1.1"
title = "test"
source = "ours"
inputs = "one"
"""
CASES = {
    ("solution", "scale-invariant"): (
        "V = (l - 1) (3 A_4/A_2^2 - 1) K^2",
        ["V = l (3 A_4/A_2^2 - 1) K^2", "V = (l - 1) (3 A_4/A_2 - 1) K^2", "V = (l - 1) (3 A_4/A_2^2 - 1) K", "V = 0"],
    ),
    ("solution", "half-stable"): (
        "D/(K Theta) = 2/3 h C_W^2 <s s ; s s>/K l^2 + O(l)",
        [
            "D/(K Theta) = 1/3 h C_W^2 <s s ; s s>/K l^2 + O(l)",
            "D/(K Theta) = 2/3 h C_W^2 <s s ; s s>/K l^3 + O(l)",
            "D/(K Theta) = 2/3 h C_W^2 <s s ; s' s'>/K l^2 + O(l)",
        ],
    ),
    ("asymptotics", "K*=0"): (
        "F = T_0 l^(1 - p)/((5 - p) (-a_1))",
        [
            "F = T_0 l^(1 - p)/((4 - p) (-a_1))",
            "F = T_0 l^(2 - p)/((5 - p) (-a_1))",
            "F = T_0 l^(1 - 2 p)/((5 - p) (-a_1))",
            "F = w l^(1 - p)/((5 - p) (-a_1))",
            "F = T_0 l^(1 - p)/((5 - p) (-b_1))",
            "F = 0",
        ],
    ),
    ("asymptotics", "K*=0, log"): (
        "K = 1/(-a_1 l) [1 - (a_1^2 - a_2)/a_1^2 log(l)/l] + O(1/l^2)",
        ["K = 1/(-a_1 l) [1 - (a_1^2 + a_2)/a_1^2 log(l)/l] + O(1/l^2)", "K = 1/(-a_1 l) + O(1/l^2)"],
    ),
    ("expansion", "small K"): (
        "d/dK[K'] = C_W sigma_1^2 [1 + 2 a_1 K + 3 a_2 K^2] + O(K^3)",
        [
            "d/dK[K'] = C_W sigma_1^2 [1 + 2 a_1 K + 2 a_2 K^2] + O(K^3)",
            "d/dTheta[Theta'] = C_W sigma_1^2 [1 + 2 a_1 K + 3 a_2 K^2] + O(K^3)",
        ],
    ),
    ("expansion", "two slopes"): (
        "<s s s s> = 3 A_4 K^2",
        ["<s s s s> = 2 A_4 K^2", "<s s s s> = 3 A_4 K", "<s s' s' s> = 3 A_4 K^2", "<s s s s> = 3 A_2 K^2"],
    ),
    ("moment", "linear"): (
        "G_4' = C_W^2 (1 + 2/n) G_4",
        ["G_4' = C_W^2 (1 + 3/n) G_4", "G_4' = C_W (1 + 2/n) G_4", "G_4' = C_W^2 (1 + 2/n) G_4'", "G_4' = C_W^2 G_4"],
    ),
    ("moment", "linear, equal widths"): (
        "G_4 - G_2^2 = [(1 + 2/n)^(l - 1) - 1] G_2^2",
        ["G_4 - G_2^2 = [(1 + 2/n)^(l) - 1] G_2^2", "G_4 - G_2^2 = [(1 + 5/n)^(l - 1) - 1] G_2^2"],
    ),
    ("moment", "linear, fixed l/n"): (
        "G_4 = exp(2 r) G_2^2",
        ["G_4 = exp(3 r) G_2^2", "G_4 = (1 + 2 r) G_2^2", "G_4 = exp(2 r^2) G_2^2"],
    ),
    ("coincident", ""): (
        "ddK_2' = chi_perp ddK_2 + h dK_1^2",
        [
            "ddK_2' = chi_perp ddK_2 + 2 h dK_1^2",
            "ddK_2' = chi_par ddK_2 + h dK_1^2",
            "dK_1' = chi_perp ddK_2 + h dK_1^2",
        ],
    ),
    ("critical", "gelu, half-stable"): ("C_W = 1.98305826", ["C_W = 1.98305827", "C_b = 1.98305826"]),
    ("critical", "tanh, K*=0"): ("a_1 = -2 = b_1", ["a_1 = -2.0001", "a_2 = -2"]),
    ("critical", "sigmoid, search"): ("points = 0", ["points = 1"]),
    ("angle", ""): (
        "cos_psi' = cos_psi + rho [sin_psi - psi cos_psi]",
        [
            "cos_psi' = cos_psi + 2 rho [sin_psi - psi cos_psi]",
            "cos_psi' = cos_psi + rho [sin_psi + psi cos_psi]",
            "cos_psi' = cos_psi",
            "psi' = psi - 1/2 rho psi^2 + O(psi^3)",
            "psi = 2/(rho l)",
        ],
    ),
}


def verdict(folder, kind, setting, statement):
    path = folder / "ch01.toml"
    path.write_text(f'{HEAD}kind = "{kind}"\nsetting = "{setting}"\nstatement = """{statement}"""\n')
    (equation,) = read_chapter(path).equations
    return decide(equation)


@pytest.mark.parametrize("case", CASES, ids=lambda case: " ".join(case))
def test_a_right_formula_holds_and_wrong_ones_fail(tmp_path, case):
    right, wrong = CASES[case]
    assert verdict(tmp_path, *case, right).status == VERIFIED
    for statement in wrong:
        found = verdict(tmp_path, *case, statement)
        assert found.status == MISMATCH, statement
        assert found.difference, statement
        assert "disagree" not in found.note, statement


@pytest.mark.parametrize(
    ("case", "statement", "reason"),
    [
        (("expansion", "small K"), "<s s> = sigma_1^2 K + O(K)", "not smaller than all the terms"),
        (("expansion", "small K"), "<s s> = sigma_1^2 K + O(2 K^2)", "has no coefficient"),
        (("expansion", "small K"), "<s s> = sigma_1^2 K", "needs a remainder"),
        (("solution", "scale-invariant"), "A = l^3 + O(l^3)", "not smaller than all the terms"),
        (("solution", "scale-invariant"), "V = (l - 1) m K^2", "unknown name 'm'"),
        (("solution", "nonsense"), "V = 0", "setting must be one of"),
        (("asymptotics", "K*=0"), "K = 1/(-a_1 l) + 1/l^2", "beyond the orders of l that are known"),
        (("asymptotics", "K*=0"), "K = 1/(-a_1 l) + O(1/l^2)", "smaller than the orders of l that are known"),
        (("asymptotics", "K*=0"), "K = r", "r has no value"),
        (("moment", "linear"), "G_4 = n G_2^2", "series in 1/width"),
        (("critical", "gelu"), "C_W = 2", "setting must be an activation and"),
        (("coincident", ""), "dK_1' = <s s s>", "other than two functions"),
    ],
)
def test_what_cannot_be_decided_is_refused_with_the_reason(tmp_path, case, statement, reason):
    with pytest.raises(RuleError, match=reason):
        verdict(tmp_path, *case, statement)


def test_a_divergent_average_leaves_an_equation_unchecked(tmp_path):
    found = verdict(tmp_path, "solution", "scale-invariant", "S = 0")
    assert found.status == UNCHECKED
    assert "smoothed, or diverges" in found.note


# -- tensors that are infinite -------------------------------------------------------------------------------


def divergent(folder, statement, setting="leaky_relu"):
    path = folder / "ch01.toml"
    path.write_text(
        'chapter = "1"\ntitle = "one"\nsymbols = ["infinity"]\n[[equation]]\nnumber = "1.1"\ntitle = "test"\n'
        f'source = "ours"\nkind = "divergent"\ninputs = "one"\nsetting = "{setting}"\nstatement = "{statement}"\n'
    )
    return decide(read_chapter(path).equations[0])


@pytest.mark.parametrize("setting", ["leaky_relu", "relu", "abs"])
def test_second_differentials_of_a_corner_are_infinite(tmp_path, setting):
    assert divergent(tmp_path, "R = S = T = U = infinity", setting).status == VERIFIED


@pytest.mark.parametrize("name", ["V", "B", "P", "Q"])
def test_a_finite_tensor_is_not_called_infinite(tmp_path, name):
    found = divergent(tmp_path, f"S = {name} = infinity")
    assert (found.status, found.difference) == (MISMATCH, (f"{name} is finite",))


@pytest.mark.parametrize(
    ("statement", "setting", "message"),
    [
        ("S = infinity", "tanh", "an activation with a corner"),
        ("S = infinity", "", "an activation with a corner"),
        ("S = 1", "relu", "of the form S = T = infinity"),
        ("S' = infinity", "relu", "of the form S = T = infinity"),
        ("S = S = infinity", "relu", "named twice"),
    ],
)
def test_a_wrong_statement_on_infinite_tensors_is_refused(tmp_path, statement, setting, message):
    with pytest.raises(RuleError, match=message):
        divergent(tmp_path, statement, setting)


def test_one_coefficient_of_a_recursion_is_that_of_the_whole():
    of, names = rational_functions(["K", "C_b", "C_W", "lambda_b", "lambda_W"])
    step = OneInput(network("mlp"), PiecewiseLinear(of, of(1), of(rational(Fraction(1, 3)))), names, names["K"])
    for above, below in (("G{1}", "G{1}"), ("G{1}", "V"), ("Theta", "Theta"), ("V", "V"), ("V", "Theta"), ("D", "V")):
        node, own = step.node(above), step.node(below)
        assert step.coefficient(node, own) == step.polynomial(node).get((own,), 0)
    residual = OneInput(network("residual"), step.functions, names, names["K"])
    with pytest.raises(UnsupportedError, match="one sublayer"):
        residual.coefficient(residual.node("V"), residual.node("V"))
