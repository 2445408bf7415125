"""The universality classes, solved symbolically for any rule: against iterations, runs and closed forms."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from itertools import product

import pytest

from pertheory.errors import InputError, UnsupportedError
from pertheory.rulebook.network import network
from pertheory.solve.averages import AtZero, Expanded, TwoSlopes
from pertheory.solve.coincident import NearlyCoincident
from pertheory.solve.critical import search, zero_point
from pertheory.solve.fields import RationalFunctions
from pertheory.solve.growth import NEVER, DepthPower, Growth
from pertheory.solve.induction import DepthPolynomials, sum_of_powers
from pertheory.solve.iterate import Iteration
from pertheory.solve.large_depth import LargeDepth, kernel_decay
from pertheory.solve.layer import SingleInputLayer
from pertheory.solve.moments import WidthMoments, loops
from pertheory.solve.universality import half_stable, scale_invariant, small_kernel
from pertheory.solve.vanishing import VanishingKernel
from tests.planted import RULE

MLP = network("mlp")


def series_about_zero(derivatives, order):
    base = AtZero(Fraction, {"s": [Fraction(0), *derivatives, *[Fraction(0)] * 20]})
    return Expanded(base, Fraction(0), order)


# -- polynomials in the depth --------------------------------------------------------------------------------


@pytest.mark.parametrize("power", range(7))
def test_sums_of_powers(power):
    for layer in range(1, 8):
        polynomial = sum(c * layer**k for k, c in enumerate(sum_of_powers(power)))
        assert polynomial == sum(m**power for m in range(1, layer))


def test_off_criticality_there_is_no_solution_in_powers_of_the_depth():
    field = RationalFunctions(["K", "lambda_b", "lambda_W"])
    relu = TwoSlopes(field.number, {"s": (field.number(1), field.number(0))})
    couplings = {**field.symbols, "C_b": field.number(0), "C_W": field.number(3)}
    with pytest.raises(UnsupportedError, match="fixed point"):
        DepthPolynomials(SingleInputLayer(MLP, relu, couplings, field.symbols["K"]), {})


def value_of(solved, name, layer, **point):
    """A tensor at a layer and at numbers for the symbols, 0 for those that are left out."""
    field = solved.field
    found = solved.tensors.at(solved.tensors.step.node(name), field.number(layer))
    return field.at(found, {**dict.fromkeys(field.names, Fraction(0)), "K": Fraction(1), **point})


def test_relu_solutions_are_the_closed_forms_of_the_literature():
    # C_W = 2, C_b = lambda_b = 0, lambda_W = 1, K = 1: closed forms in the depth, from another derivation
    solved = scale_invariant(MLP, (Fraction(1), Fraction(0)))
    for layer in range(1, 6):
        theta = Fraction(layer, 2)
        expected = {"Theta": theta, "V": 5 * (layer - 1), "F": (layer - 1) * theta, "D": 3 * (layer - 1) * theta}
        expected["A"] = Fraction((layer - 1) * (7 * layer - 2), 3 * layer) * theta**2
        expected["B"] = Fraction((layer - 1) * (2 * layer - 1), 3 * layer) * theta**2
        for name, value in expected.items():
            assert value_of(solved, name, layer, lambda_W=Fraction(1)) == value, name


@pytest.mark.parametrize(
    ("name", "slope"),
    [
        ("residual", lambda g: (1 - g**2) * (7 * (1 - g**2) + 4 * g**2)),
        ("projection", lambda g: 5 * (1 - g**2) ** 2 + 2 * g**2 * (2 - g**2)),
    ],
)
def test_relu_with_skip_connections_has_the_known_slope(name, slope):
    """V/(n K^2) = nu (l - 1)/n with nu from the literature of these rules; C_W = 2 (1 - gamma^2)."""
    solved = scale_invariant(network(name), (Fraction(1), Fraction(0)))
    for gamma in (Fraction(1, 2), Fraction(1, 3)):
        assert value_of(solved, "V", 4, gamma=gamma) == 3 * slope(gamma)
        point = {**dict.fromkeys(solved.field.names, Fraction(0)), "gamma": gamma}
        assert solved.field.at(solved.symbols["C_W"], point) == 2 * (1 - gamma**2)


@pytest.mark.parametrize("name", ["mlp", "projection", "residual"])
def test_at_a_half_stable_point_all_conditions_hold(name):
    rule = network(name)
    solved = half_stable(rule)
    step = solved.tensors.step
    assert tuple(step.susceptibilities) == (solved.symbols["K"], 1, 1)
    assert solved.tensors.solution(step.node("V")).keys() == {0, 1}


def test_a_rule_without_a_bias_has_no_half_stable_point(tmp_path):
    (tmp_path / "own.toml").write_text(RULE)
    rule = network(tmp_path / "own.toml")
    with pytest.raises(UnsupportedError, match="no bias"):
        half_stable(rule)
    solved = scale_invariant(rule, (Fraction(1), Fraction(0)))
    assert value_of(solved, "V", 3) == 10
    assert search(rule, "gelu") == []


def test_a_rule_that_says_what_its_functions_are_is_in_no_class():
    fixed = dataclasses.replace(MLP, name="fixed", activations=(("s", "tanh"),))
    with pytest.raises(UnsupportedError, match="fixed says that s is tanh"):
        scale_invariant(fixed)
    assert zero_point(fixed, "gelu").coefficients["a_1"] == pytest.approx(-2)


def test_layers_that_end_in_several_fields_are_told():
    several = dataclasses.replace(MLP, name="several", fields=("z", "y"))
    with pytest.raises(UnsupportedError, match="layers of several end in z, y"):
        scale_invariant(several)


def test_a_hyperparameter_with_the_name_of_a_symbol_is_told():
    with pytest.raises(InputError, match="K is a symbol of the solutions"):
        RationalFunctions(["K", "l", "K"])


# -- large depth ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mlp", "projection", "residual"])
@pytest.mark.parametrize("odd", [True, False])
def test_leading_powers_are_those_of_an_iteration(name, odd):
    """The ansatz against recursions iterated for a cubic activation, extrapolated as 1 + (c log l + d)/l."""
    rule = network(name)
    solved = VanishingKernel(rule, odd)
    second = Fraction(0) if odd else Fraction(1)
    run = Iteration(rule, (Fraction(1), second, Fraction(-2)))
    point = {**dict.fromkeys(solved.field.names, Fraction(0)), **run.numbers}
    tensors = ["K", "V", "Theta", "F", "B", "D", "G{1}"] if name == "mlp" else ["K", "V", "Theta"]
    p = run.numbers["p"]
    layers = [run.depth // 2**k for k in range(3)]
    for tensor in tensors:
        node = solved.step.node(tensor)
        leading = solved.tensors.series(node)
        coefficient = float(solved.field.at(leading.terms[leading.lead], point))
        power = -leading.lead.power + leading.edges * (1 - p)
        ratios = [run.value(node, layer) / (coefficient * layer**power) for layer in layers]
        a, b, c = ratios
        # 1 + (c log l + d)/l at l, l/2, l/4: differences remove both terms
        rows = [[1.0, math.log(layer) / layer, 1 / layer] for layer in layers]
        assert abs(solve3(rows, [a, b, c]) - 1) < 2e-3, tensor


def solve3(rows, values):
    """The first unknown of three linear equations, by Cramer's rule."""

    def det(m):
        return sum(
            m[0][i] * (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]) for i in range(3)
        )

    return det([[v, *row[1:]] for v, row in zip(values, rows, strict=True)]) / det(rows)


def test_the_logarithm_of_the_kernel_shows_in_an_iteration():
    averages = series_about_zero([Fraction(1), Fraction(0), Fraction(-2), Fraction(0), Fraction(16)], 3)
    step = SingleInputLayer(MLP, averages, {"C_b": averages.number(0), "C_W": averages.number(1)}, averages.kernel)
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
    averages = series_about_zero([Fraction(3, 4), Fraction(0), Fraction(0), Fraction(0), Fraction(-48)], 3)
    variance = averages.number(Fraction(16, 9))
    couplings = {"C_b": averages.number(0), "C_W": variance, "lambda_b": variance, "lambda_W": variance}
    step = SingleInputLayer(MLP, averages, couplings, averages.kernel)
    assert kernel_decay(step.kernel_above)[:2] == (2, 32)
    with pytest.raises(UnsupportedError, match="a_1 = 0"):
        LargeDepth(step, lambda value: True)


def test_a_homogeneous_solution_that_is_not_subdominant_is_refused():
    averages = series_about_zero([Fraction(1), Fraction(0), Fraction(-2)], 2)
    one = averages.number(1)
    couplings = {"C_b": averages.number(0), "C_W": one, "lambda_b": one * averages.kernel, "lambda_W": one}
    depth = LargeDepth(SingleInputLayer(MLP, averages, couplings, averages.kernel), lambda value: value < 2)
    with pytest.raises(UnsupportedError, match="subdominant"):
        depth.series(depth.step.node("V"))


def test_expansion_coefficients_of_a_projection_are_those_of_the_perceptron_at_gamma_0():
    """a_1 and b_1 of a rule with a skip connection are scaled by the share of the weights in chi."""
    plain, mixed = small_kernel(MLP, 3, 9), small_kernel(network("projection"), 3, 9)
    point = {"sigma_1": Fraction(2), "sigma_2": Fraction(3), "sigma_3": Fraction(-5), "sigma_4": Fraction(1)}
    point |= {f"sigma_{k}": Fraction(k) for k in range(5, 10)} | {"C_W": Fraction(3, 7), "gamma": Fraction(1, 2)}
    share = Fraction(3, 7) * 4 / (Fraction(3, 7) * 4 + Fraction(1, 4))
    for name in ("a_1", "b_1"):
        ratio = mixed.field.at(mixed.symbols[name], point) / plain.field.at(plain.symbols[name], point)
        assert ratio == share, name


def test_growths_forget_what_is_below_what_they_know():
    one = Growth({DepthPower(Fraction(0), 0): Fraction(1)}, known=DepthPower(Fraction(1), 0))
    power = Growth({DepthPower(Fraction(-1), 0): Fraction(2)})
    assert (one * power).known == DepthPower(Fraction(0), 0)
    assert (power * power).known == NEVER
    assert str(power**-1) == "(1/2) l^-1 log^0"
    with pytest.raises(InputError, match="single power"):
        (power + one).inverse()


# -- moments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slopes", "second"), [((1, 1), (1, 3, 15, 105)), ((1, 0), (1, 6, 60, 840))])
@pytest.mark.parametrize("pairs", [2, 3, 4])
def test_moments_of_a_layer_are_those_of_a_sum_of_independent_squares(slopes, second, pairs):
    """Given the layer below, G_2m is C_W^m E[(mean of x_j)^m], x_j = s(z_j)^2 independent.

    With C_W = 1/E[x] and z standard normal E[x^k]/E[x]^k is (2k-1)!! for s = z, and half of it times 2^k for ReLU.
    """
    moments = WidthMoments(MLP, slopes, 2, 3)
    n = 7
    found = moments.moment(2, pairs) / (moments.variance**2 * moments.input_kernel) ** pairs
    half = Fraction(1, 2) if slopes == (1, 0) else Fraction(1)
    value = moments.field.at(found, {"N_1": Fraction(1, n)})
    # one layer: the moment is a polynomial of degree m - 1 <= 3 in 1/n, so nothing is cut off
    assert value == mean_power(n, pairs, second) * half**pairs


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


# -- two inputs ----------------------------------------------------------------------------------------------


def test_the_distance_of_two_inputs_goes_with_the_susceptibilities():
    """dK_1' = chi_par dK_1 and ddK_2' = chi_perp ddK_2 + .., the two of the derived recursions of one input."""
    near = NearlyCoincident(MLP)
    layer = SingleInputLayer(MLP, near.averages, near.symbols, near.symbols["K"])
    above, parallel, perpendicular = layer.susceptibilities
    distance = near.symbols["distance"]
    plus, minus, mixed = near.above[0, 0], near.above[1, 1], near.above[0, 1]
    assert near.kept(plus, 0) == above
    assert near.kept(plus - minus) / 2 == parallel * near.symbols["dK_1"] * distance
    second = near.kept(plus + minus - 2 * mixed) / 4
    assert near.field.powers(second, "ddK_2")[1] == perpendicular * distance**2
