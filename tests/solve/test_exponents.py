"""Tables of tensors with depth, where the expansion ends, and how variances and learning rates scale."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import pertheory as pt
from pertheory.solve.classes import CLASSES

L, P, A1, SIGMA, B, W = sympy.symbols("l p a_1 sigma_1 tilde_b tilde_W")
SHARE = W * SIGMA**2 / -A1
T0 = B + SHARE
GAMMA = sympy.Symbol("gamma")


def entry(state: object, layer: int, name: str) -> float:
    return float(np.squeeze(state[layer][{"K": "G", "Theta": "H"}.get(name, name)]))


# chapters 5, 9, 11 and infinity: leading powers of the K* = 0 class as the book's notation has them
BOOK = {
    "K": 1 / (-A1 * L),
    "Theta": T0 * L ** (1 - P),
    "V": sympy.Rational(2, 3) / A1**2 / L,
    "G{1}": -sympy.Rational(1, 3) / -A1,
    "F": T0 * L ** (1 - P) / ((5 - P) * -A1),
    "B": T0**2 * L ** (3 - 2 * P) / 3,
    "D": sympy.Rational(2, 9) / -A1 * (SHARE - P * T0) * L ** (1 - P),
    "A": sympy.Rational(4, 27) * (SHARE - P * T0) ** 2 * L ** (3 - 2 * P),
    "P": -(2 - P) / (3 * (5 - P)) * T0**2 * L ** (3 - 2 * P),
    "Q": T0 * (SHARE - P * T0) / (5 - P) ** 2 * L ** (3 - 2 * P),
    "R": A1 / (3 * (5 - P) ** 2) * T0**2 * ((2 - P) * SHARE + (5 - 4 * P) * (4 - P) * T0) * L ** (5 - 3 * P),
    "S": -A1 / (3 * (5 - P)) * T0**2 * (SHARE + 4 * (1 - P) * T0) * L ** (5 - 3 * P),
    "T": -2 * A1 / (5 - P) ** 3 * T0 * (SHARE - P * T0) ** 2 * L ** (5 - 3 * P),
    "U": -4 * A1 * (1 - P) / (4 - P) * T0**3 * L ** (4 - 3 * P),
}


def test_the_table_of_the_book() -> None:
    table = pt.exponents("mlp", "K*=0", list(BOOK))
    assert table.exponents == {"p_0": 1, "p_parallel": 2, "p_perp": P}
    for name, value in BOOK.items():
        assert sympy.simplify(table[name].leading / value) == 1, name
    assert table.nu == sympy.Rational(2, 3)


@pytest.mark.parametrize("name", ["Theta", "V", "F", "H{1}"])
def test_numbers_and_symbols_agree(name: str) -> None:
    """A polynomial with p = -8, where powers of l depend on p by far, against the formula in p, correction included."""
    given = {"sigma_1": 1, "sigma_2": 3, "sigma_3": -7, "sigma_4": 0, "a_1": -sympy.Rational(1, 4), "p": -8}
    formula = pt.asymptotics("mlp", name, "K*=0", terms=1)
    own = pt.asymptotics("mlp", name, "x + 3*x^2/2 - 7*x^3/6", terms=1)
    given["a_2"] = own.coefficients["a_2"]
    assert own.coefficients["p"] == -8
    assert sympy.expand(formula.series.subs(given) - own.series) == 0
    assert formula.left_out.subs(given) == own.left_out


def test_rows_that_nobody_printed() -> None:
    """The six-point vertex and next orders of odd functions, whose numbers an iteration has (test_large_depth.py)."""
    table = pt.exponents("mlp", "tanh", ["V6", "G{2}", "V{1}"])
    assert [table[name].ratio for name in ("V6", "G{2}", "V{1}")] == [16 * L**2 / 15, L**2 / 15, -14 * L**2 / 45]
    assert [table[name].cost for name in ("V6", "G{2}", "V{1}")] == [2, 2, 2]


def test_the_six_point_vertex_is_that_of_a_random_walk() -> None:
    """The squared size of a signal goes as x' = f(x) + noise, the noise a mean of n squares of one neuron.

    Its variance is 2 x^2/n and its third cumulant 8 x^3/n^2 where s is z but for small terms, so that by hand

        V' = f'^2 V + 2 K^2,    V6' = f'^3 V6 + 3 f'^2 f'' V^2 + 3 f' (4 K) V + 8 K^3,

    with f = K + a_1 K^2 and K = 1/(-a_1 l); for ReLU x' = x (1 + noise) is a product, its logarithm a sum.
    """
    kernel, slope, bend = 1 / (-A1 * L), 1 - 2 / L, 2 * A1
    v = sympy.Rational(2, 3) * kernel**2 * L
    source = sympy.limit(L**2 * (3 * slope**2 * bend * v**2 + 12 * slope * kernel * v + 8 * kernel**3), L, sympy.oo)
    six = source / (6 - 1) / L  # c/l with 6 c/l^2 lost in a layer and c/l^2 by the power
    assert sympy.simplify(pt.exponents("mlp", "K*=0", "V6")["V6"].leading / six) == 1
    assert pt.exponents("mlp", "relu", "V6")["V6"].ratio == 3 * (5 * L) ** 2


def test_half_stable_points_have_asymptotics_of_their_own() -> None:
    """h K* is not zero there: D and A grow faster than l/n (the book's classes have h K l bounded)."""
    table = pt.exponents("mlp", "half-stable", ["V", "D", "A", "G{1}"])
    k, h, slope, nu = sympy.symbols("K h h_par nu")
    assert table["V"].ratio == nu * L
    assert sympy.simplify(table["D"].ratio - sympy.Rational(2, 3) * h * k * nu * L**2) == 0
    assert sympy.simplify(table["A"].ratio - sympy.Rational(8, 15) * (h * k) ** 2 * nu * L**3) == 0
    assert sympy.simplify(table["G{1}"].ratio - slope * k * nu * L**2 / 2) == 0
    for activation, known in (("gelu", 0.01662), ("swish", 0.01241)):
        own = pt.asymptotics("mlp", "K", activation)
        assert float(own.coefficients["h"] * own.couplings["K"]) == pytest.approx(known, abs=5e-6)


@pytest.mark.parametrize(("rule", "nu"), [("projection", 2 / sympy.S(3)), ("residual", 4 * (1 - GAMMA**2) / 3)])
def test_nu_of_residual_rules_in_closed_form(rule: str, nu: sympy.Expr) -> None:
    """V/(n K^2) = nu l/n of functions such as tanh, and the critical line C_W (gamma)."""
    table = pt.exponents(rule, "tanh", "V")
    assert sympy.simplify(table.nu - nu) == 0
    assert sympy.simplify(table.couplings["C_W"] - (1 - GAMMA**2)) == 0


def test_where_the_expansion_ends_is_where_a_run_says_so() -> None:
    width, rates = 300, {"lambda_b": 0.0, "lambda_W": 1.0}
    table = pt.exponents("mlp", "gelu", ["V", "D", "A", "F"])
    trust = table.trust(width)
    fixed = {name: float(value) for name, value in table.couplings.items()}
    kernel = fixed.pop("K")
    row = [np.sqrt((kernel - fixed["C_b"]) / fixed["C_W"])]
    state = pt.theory("mlp", order=1).compile(inputs="one")([row], activation="gelu", depth=130, **fixed, **rates)
    for name, kernels, tangents in (("V", 2, 0), ("D", 1, 1), ("A", 0, 2)):
        sizes = [
            entry(state, at, name) / entry(state, at, "K") ** kernels / entry(state, at, "Theta") ** tangents / width
            for at in (trust.limits[name], trust.limits[name] + 1)
        ]
        assert sizes[0] <= 1 < sizes[1], name
    assert trust.depth == min(trust.limits.values()) == trust.limits[trust.tensor]
    assert trust.tensor == "A"
    assert pt.exponents("mlp", "relu", "V").trust(512).depth == 103  # 5 (l - 1)/n


def test_tensors_without_a_value_say_why() -> None:
    table = pt.exponents("mlp", "relu", ["V", "R"])
    assert table["R"].leading is None
    assert "corner" in table["R"].note
    assert "corner" in str(table)
    with pytest.raises(pt.UnsupportedError, match="R has no finite value"):
        pt.scaling("mlp", "relu", "R").strength("R")


def test_a_rule_that_is_not_trained_has_kernels_only() -> None:
    assert {row.tangents for row in pt.exponents("deep_linear", "scale-invariant", ["V", "D"]).rows.values()} <= {0, 1}


@pytest.mark.parametrize("depth", [200, 400])
def test_scaled_rates_keep_the_tangent_kernel(depth: int) -> None:
    """Theta of the last layer is what the groups add, at any depth, and every layer adds the same."""
    groups = pt.scaling("mlp", "tanh", ["V"]).groups
    values = {"tilde_b": 0.3, "tilde_W": 0.8, "L": depth}
    rates = {
        own.rate: [float(own.value.subs({**values, "l": layer})) for layer in range(1, depth + 1)]
        for own in groups.values()
    }
    run = pt.theory("mlp", "Theta").compile(inputs="one")
    state = run([[0.5]], activation="tanh", depth=depth, C_b=0.0, C_W=1.0, **rates)
    expected = sum(float(own.adds.subs(values)) for own in groups.values())
    assert entry(state, depth, "Theta") == pytest.approx(expected, rel=8 / depth)


@pytest.mark.parametrize(("rule", "inner"), [("mlp", []), ("projection", ["lambda_P"])])
def test_the_powers_of_the_width_are_those_of_a_run(rule: str, inner: list[str]) -> None:
    """s = 1: the last layer with C_W n^-1 and the rates below with n, in numbers; cumulants come with 1/n besides."""
    n, depth = 64.0, 4
    names = ["V", "A", "D", "P", "R", "S", "U"]
    found = pt.scaling(rule, "tanh", names)
    rates = dict.fromkeys(("lambda_b", "lambda_W", *inner), 0.5)
    own = {"C_b": 0.2, "C_W": 1.3, **rates, **({"gamma": 0.5} if inner else {})}
    below = [1.0] * (depth - 1)
    powers = {"C_b": [*below, 1 / n], "C_W": [*below, 1 / n], "gamma": [*below, n**-0.5]}
    powers |= {key: [*(n * one for one in below), 1.0] for key in rates}
    if inner:  # the rate of P is written with gamma^2, whose share is taken back
        powers["lambda_P"] = [*(n * one for one in below), n]
    scaled = {name: [value * factor for factor in powers[name]] for name, value in own.items()}
    run = pt.theory(rule, names, 1).compile(inputs="one")
    plain, family = (run([[0.7]], activation="tanh", depth=depth, **given) for given in (own, scaled))
    for name in names:
        power = found.widths[name].subs("s", 1) + found.table[name].cost
        ratio = entry(family, depth, name) / entry(plain, depth, name)
        assert ratio == pytest.approx(n ** float(power), rel=1e-9), name


def test_what_moves_features_has_a_strength() -> None:
    found = pt.scaling("mlp", "K*=0, odd", ["R", "S", "V"])
    n, s, last = sympy.symbols("n s L")
    odd = BOOK["S"].subs(P, 1) * BOOK["K"] / BOOK["Theta"].subs(P, 1) ** 3
    assert sympy.simplify(found.strength("S") - odd.subs(L, last) * n ** (s - 1)) == 0
    assert [power.subs(s, 0) for power in found.groups["W"].output] == [-1, -1]
    assert found.groups["W"].hidden == (-1, s - 1)


@pytest.mark.parametrize("shown", [pt.exponents("mlp", "tanh", "V"), pt.scaling("mlp", "relu", "V")])
def test_records_show_as_tables(shown: object) -> None:
    assert "<table>" in shown._repr_html_()
    assert len(str(shown).splitlines()) > 2


def test_a_formula_shows_as_one() -> None:
    own = pt.asymptotics("mlp", "G{1}", "tanh", terms=1)
    assert own.sympy() == own.series
    assert str(own).endswith("+ O(l**(-2))")
    assert own._repr_latex_().startswith(r"$\displaystyle G^{\{1\}} = ")
    assert "$$" in own._repr_html_()


@pytest.mark.parametrize("given", CLASSES)
def test_a_class_may_stand_for_its_activations(given: str) -> None:
    assert pt.asymptotics("mlp", "V", given).universality == given.removesuffix(", odd")
    with pytest.raises(pt.InputError, match="has no parameter beta"):
        pt.asymptotics("mlp", "V", given, beta=1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: pt.asymptotics("mlp", "V", "tanh", terms=-1), "terms must be a whole number"),
        (lambda: pt.asymptotics("mlp", "V", "tanh", terms=1000), "terms must be a whole number"),
        (lambda: pt.asymptotics("mlp", "U", "erf(x) + x^2/10", terms=4), "depends on p otherwise"),
        (lambda: pt.exponents("mlp", "sigmoid"), "no critical point"),
        (lambda: pt.exponents("mlp", "tanh", ["V"])["X"], "X is not in this table"),
        (lambda: pt.exponents("mlp", "tanh", ["V"]).trust(-5), "must be positive"),
        (lambda: pt.exponents("mlp", "tanh", ["V"]).trust("512"), "width must be a finite number"),
        (lambda: pt.exponents("mlp", "half-stable", "V").trust(100, nu="print(1)"), "nu must be a finite number"),
        (lambda: pt.aspect("relu", "residual", gamma=float("nan")), "gamma must be a finite number"),
        (lambda: pt.exponents("mlp", "tanh", ["K"]).trust(100), "none of the tensors"),
        (lambda: pt.exponents("mlp", "half-stable", "V").trust(100), "V needs a value for nu"),
        (lambda: pt.scaling("mlp", "tanh(x) - tanh(2*x)/8"), "a_1 = 0"),
    ],
)
def test_bad_input_is_one_line(call: object, words: str) -> None:
    with pytest.raises(pt.PertheoryError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
