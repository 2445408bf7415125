"""The record of criticality: susceptibilities of any rule, symbols, complete searches, phases, how it shows."""

from __future__ import annotations

import json
import warnings

import mpmath
import numpy as np
import pytest
import sympy

import pertheory as pt
from pertheory.solve.critical import at_rest, fixed_points
from pertheory.solve.flow import Flow
from pertheory.solve.numbers import Doubles, named_functions
from pertheory.solve.roots import Range, roots

RULES = ("mlp", "projection", "residual")
BETA = sympy.Symbol("beta", positive=True)


# -- susceptibilities -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["tanh", "gelu", "softshrink"])
def test_susceptibilities_are_what_two_close_inputs_show(rule: str, name: str) -> None:
    """x and (1 + e) x, (1 - e) x, as R' = chi_parallel R and D' = chi_perp D + h R^2 with R = 4 K e and D = 4 K e^2."""
    kernel, step = 0.8, 3e-4
    tolerance = step if name == "softshrink" else 1e-5  # beyond kinks D has terms of the third order
    given = {"C_b": 0.2, "C_W": 1.3}
    size = np.sqrt((kernel - given["C_b"]) / given["C_W"])  # the first layer has the outer parameters
    rows = [[size * (1 + step)], [size * (1 - step)]]
    states = pt.theory(rule, ["G"], 0).compile()(rows, name, 2, **given)
    changes = []
    for layer in (1, 2):
        (a, b), (_, d) = np.asarray(states[layer]["G"])
        changes.append((a - d, a + d - 2 * b, (a + d + 2 * b) / 4))
    (r, d, _), (above_r, above_d, above) = changes
    found = pt.critical(name, rule).at(kernel, **given)
    assert float(found.kernel) == pytest.approx(above, rel=1e-6)
    assert float(found.chi_parallel) == pytest.approx(above_r / r, rel=1e-5)
    assert float(found.chi_perp) + float(found.h) * r**2 / d == pytest.approx(above_d / d, rel=tolerance)


def test_across_the_input_only_chi_perpendicular_counts() -> None:
    """Inputs (a, e) and (a, -e): R = 0, and D' = chi_perp D."""
    record, given, step = pt.critical("gelu", "residual"), {"C_b": 0.2, "C_W": 1.3}, 1e-3
    states = pt.theory("residual", ["G"], 0).compile()([[1.0, step], [1.0, -step]], "gelu", 2, **given)
    gaps = []
    for layer in (1, 2):
        (a, b), (_, d) = np.asarray(states[layer]["G"])
        gaps.append(a + d - 2 * b)
    kernel = states[1]["G"][0, 0]
    assert float(record.chi_perp(kernel, **given)) == pytest.approx(gaps[1] / gaps[0], rel=1e-5)


def test_h_at_the_half_stable_points_is_that_of_the_literature() -> None:
    for name, value in (("gelu", 0.01662), ("swish", 0.01241)):
        record = pt.critical(name)
        assert record.coefficients["h"] * record.points[0].K == pytest.approx(value, abs=5e-6)


def test_functions_of_the_kernel_take_arrays() -> None:
    record = pt.critical("tanh")
    kernels = np.array([[0.1, 0.2], [0.3, 0.4]])
    found = record.at(kernels)
    assert found.chi_parallel.shape == kernels.shape
    assert found.chi_parallel == pytest.approx(record.chi_parallel(kernels))
    slope = (record.at(0.2001).kernel - record.at(0.1999).kernel) / 0.0002
    assert float(record.chi_parallel(0.2)) == pytest.approx(float(slope), rel=1e-6)
    bend = (record.chi_perp(0.2001) - record.chi_perp(0.1999)) / 0.0004
    assert float(record.h(0.2)) == pytest.approx(float(bend), rel=1e-6)


# -- small kernels --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "function", "slope"),
    [
        ("elu", lambda z: z if z > 0 else mpmath.expm1(z), lambda z: 1 if z > 0 else mpmath.exp(z)),
        ("softsign", lambda z: z / (1 + abs(z)), lambda z: (1 + abs(z)) ** -2),
        ("tanh", mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
    ],
)
def test_expansions_about_zero_are_those_of_quadrature(name, function, slope) -> None:
    """K'/K - 1 and chi_perp - 1 at small K by integrals, less the record's terms: a next power is left."""
    exact = pt.critical(name).exact
    powers = {"1/2": 0.5, "1": 1.0, "3/2": 1.5, "2": 2.0}
    with mpmath.workdps(30):
        left = {"a": [], "b": []}
        for kernel in (mpmath.mpf("1e-4"), mpmath.mpf("1e-6")):
            width = mpmath.sqrt(kernel)

            def average(of, width=width):
                ends = [-12, -4, 0, 4, 12]
                return mpmath.quad(lambda t: of(width * t) * mpmath.npdf(t), ends)

            values = {"a": average(lambda z: function(z) ** 2) / kernel - 1, "b": average(lambda z: slope(z) ** 2) - 1}
            for letter, value in values.items():
                for key, coefficient in exact.items():
                    head, _, index = key.partition("_")
                    if head == letter:
                        value -= mpmath.mpf(str(coefficient.evalf(30))) * kernel ** powers[index]
                left[letter].append(abs(value) / kernel ** (2 if letter == "a" else 1))
    for letter, (far, near) in left.items():
        assert near < max(0.2 * far, 1e-12), letter  # a power of the root of 1/100


def test_coefficients_of_the_literature() -> None:
    tanh = pt.critical("tanh").sympy()
    assert [tanh[key] for key in ("C_b", "C_W", "K", "a_1", "b_1", "nu")] == [0, 1, 0, -2, -2, sympy.Rational(2, 3)]
    gelu = pt.critical("gelu").sympy()
    assert gelu["a_1"] == 6 / sympy.pi
    assert pt.critical("swish").sympy()["a_1"] == sympy.Rational(3, 4)
    tuned = pt.critical("tanh(x) - tanh(2*x)/8")
    assert [tuned.exact[key] for key in ("a_1", "a_2")] == [0, -16]
    assert tuned.universality == "K*=0"


def growth(rule: str, name: str) -> sympy.Expr:
    """V of a layer in powers of the depth, as another part of this room solves for it, at gamma = 1/2."""
    return sympy.expand(pt.asymptotics(rule, "V", name).value.subs("gamma", sympy.Rational(1, 2)))


@pytest.mark.parametrize("rule", RULES)
def test_a_third_of_the_slope_of_a_line_is_the_slope_at_zero(rule: str) -> None:
    """nu of tanh from its two slopes at 0 against the leading power of the depth, V = nu/(a_1^2 l)."""
    record, layer = pt.critical("tanh", rule), sympy.Symbol("l")
    found = sympy.limit(growth(rule, "tanh") * layer, layer, sympy.oo) * record.exact["a_1"] ** 2
    assert sympy.simplify(found - record.exact["nu"]) == 0


@pytest.mark.parametrize("name", ["elu", "selu", "hard_tanh"])
def test_the_slope_of_fluctuations_is_approached_where_kernels_fall_in_other_ways(name: str) -> None:
    """V/(K^2 l) of layers 200 and 800, extrapolated in 1/l; kernels fall as 1/l^2, and of hard_tanh as 1/log(l)."""
    record = pt.critical(name)
    depth = 800
    functions = Doubles(named_functions(record.network, record.activation))
    flow = Flow(record.network, functions, at_rest(record.network, functions, record.couplings()), ["V"])
    values = {}
    for layer, state in enumerate(flow.layers(1.0, depth), start=1):
        if layer in (depth // 4, depth):
            values[layer] = flow.at(state, "V") / (flow.at(state, "K") ** 2 * layer)
    limit = values[depth] + (values[depth] - values[depth // 4]) / 3
    assert limit == pytest.approx(record.nu, rel=0.12 if name == "hard_tanh" else 0.02)


@pytest.mark.parametrize("rule", RULES)
def test_the_slope_at_a_half_stable_point_is_that_of_the_solved_class(rule: str) -> None:
    record = pt.critical("gelu", rule)
    slope = growth(rule, "gelu").coeff(sympy.Symbol("l"), 1)
    assert record.nu == pytest.approx(float(slope) / record.points[0].K ** 2, rel=1e-7)


# -- symbols --------------------------------------------------------------------------------------------------


def test_parameters_stay_symbols() -> None:
    slope, gamma = sympy.symbols("slope gamma")
    leaky = pt.critical("leaky_relu", slope=slope)
    assert sympy.simplify(leaky.points[0].C_W - 2 / (1 + slope**2)) == 0
    elu = pt.critical("elu", alpha=BETA)
    assert elu.universality == "K*=0"
    assert sympy.simplify(elu.exact["C_W"] - 2 / (1 + BETA**2)) == 0
    assert sympy.simplify(pt.critical("relu", "residual", gamma=gamma).exact["C_W"] - 2 * (1 - gamma**2)) == 0
    for rule, nu in (("residual", sympy.Rational(4, 3) * (1 - gamma**2)), ("projection", sympy.Rational(2, 3))):
        found = pt.critical("tanh", rule, gamma=gamma)
        assert sympy.simplify(found.exact["nu"] - nu) == 0
        assert any("gamma = 1/2" in note for note in found.notes)


def test_a_parameter_that_sets_the_scale_scales_the_point() -> None:
    symbolic, number = pt.critical("swish", beta=BETA), pt.critical("swish", beta=2)
    assert symbolic.universality == number.universality == "half-stable"
    at_two = [float(value.subs(BETA, 2)) if hasattr(value, "subs") else value for value in symbolic.points[0][:3]]
    assert at_two == pytest.approx(list(number.points[0][:3]), rel=1e-10)
    assert float(symbolic.exact["h"].subs(BETA, 2)) == pytest.approx(number.coefficients["h"], rel=1e-10)
    assert symbolic.exact["a_1"] == sympy.Rational(3, 4) * BETA**2
    assert pt.critical("softplus", beta=BETA).universality == "none"
    json.dumps(symbolic.to_json())
    with pytest.raises(pt.UnsupportedError, match="numbers are needed"):
        symbolic.phase_diagram([0.0], [1.0])


# -- searches -------------------------------------------------------------------------------------------------

LOOKED = Range(1e-3, 1e3)


@pytest.mark.parametrize("seed", range(8))
def test_every_root_is_bracketed_once(seed: int) -> None:
    """Functions with many roots in log K, some of them close to each other."""
    generator = np.random.default_rng(seed)
    places = np.sort(generator.uniform(-6.2, 6.2, 9))
    places[4] = places[3] + 0.02

    def function(kernel: float) -> float:
        return float(np.prod(np.tanh((np.log(kernel) - places) / 2)) * (1.2 + np.cos(np.log(kernel))))

    found = roots([function(kernel) for kernel in LOOKED.nodes], LOOKED)
    assert found.complete
    assert len(found.brackets) == 9
    for (low, high), place in zip(found.brackets, places, strict=True):
        assert low < np.exp(place) < high


def test_a_root_that_only_touches_is_seen_and_what_is_flat_is_told() -> None:
    touching = roots([(np.log(kernel) - 0.5) ** 2 for kernel in LOOKED.nodes], LOOKED)
    assert touching.brackets == []
    assert touching.touching == [pytest.approx(np.exp(0.5), rel=1e-6)]
    assert roots([1e-15] * len(LOOKED.nodes), LOOKED).flat
    wild = roots([np.sin(60 * np.log(kernel)) for kernel in LOOKED.nodes], LOOKED)
    assert not wild.complete


def test_all_of_several_points_are_listed() -> None:
    """A formula with points at K = 0.05 and at K = 0; the roots of the gap counted on a fine grid."""
    name = "x/2*(1 + erf(x/sqrt(2))) - sin(x)/9"
    record = pt.critical(name)
    assert len(record.points) == 2
    assert record.points[-1].stability == "unstable"
    assert record.remarks[-1] == "2 critical points; the first is the one to use"
    kernels = np.geomspace(1e-3, 1e3, 2000)
    found = record.at(kernels)
    gaps = found.chi_parallel - found.chi_perp
    (places,) = np.nonzero(gaps[:-1] * gaps[1:] < 0)
    assert len(places) == 1
    assert kernels[places[0]] < record.points[0].K < kernels[places[0] + 1]


def test_points_beside_a_stable_zero() -> None:
    """x - x^3/6: g = K - K^2 + 5 K^3/12 by Wick's theorem, so K = 2 has chi_parallel = chi_perp with C_W = 1/2."""
    record = pt.critical("x - x^3/6")
    assert record.universality == "K*=0"
    assert list(record.points[1][:3]) == pytest.approx([4 / 3, 0.5, 2.0], rel=1e-12)
    assert record.points[1].stability == "half-stable, from below"


def test_the_search_begins_where_gradients_do() -> None:
    record = pt.critical("max(0, x - 5)")
    assert (record.universality, record.searched.low) == ("half-stable", pytest.approx(0.1))


def test_the_search_ends_where_averages_do() -> None:
    for name, high in (("exp(x^2)", 0.1), ("exp", 100.0), ("sinh(x)", 10.0)):
        record = pt.critical(name)
        assert record.universality == "none"
        assert record.searched.high == pytest.approx(high)
        assert any(f"averages are known to about K = {high:g} only" in note for note in record.notes)


# -- phases ---------------------------------------------------------------------------------------------------


def test_phases_of_tanh_change_where_its_fixed_points_do() -> None:
    """Every K* of the diagram is a fixed point that a search finds, and the phase is what chi_perp says."""
    diagram = pt.critical("tanh").phase_diagram([0.0, 0.1, 0.3], [0.5, 1.5, 2.5])
    for i, bias in enumerate(diagram.C_b):
        for j, weight in enumerate(diagram.C_W):
            points = fixed_points("mlp", "tanh", {"C_b": bias, "C_W": weight})
            stable = [point for point in points if point.parallel < 1]
            expected = stable[0].kernel if stable else 0.0
            assert diagram.kernel[i, j] == pytest.approx(expected, rel=1e-6)
            if stable:
                assert diagram.chi_perp[i, j] == pytest.approx(stable[0].perpendicular, rel=1e-5)
            assert diagram.phase[i, j] == ("chaotic" if diagram.chi_perp[i, j] > 1 else "ordered")


def test_phases_of_relu() -> None:
    diagram = pt.critical("relu").phase_diagram([0.0, 0.1], [1.0, 2.0, 2.2], start=0.7)
    assert diagram.phase.tolist() == [["ordered", "critical", "exploding"], ["ordered", "unsettled", "exploding"]]
    assert diagram.kernel[0].tolist() == [0.0, pytest.approx(0.7), np.inf]
    assert diagram.kernel[1, 0] == pytest.approx(0.2)


def test_the_critical_point_lies_on_the_line_between_the_phases() -> None:
    point = pt.critical("gelu").points[0]
    diagram = pt.critical("gelu").phase_diagram([point.C_b], [point.C_W * 0.98, point.C_W * 1.05], start=point.K)
    assert diagram.phase.tolist()[0][0] == "ordered"
    assert diagram.phase.tolist()[0][1] in ("chaotic", "exploding", "unsettled")


# -- how it shows ---------------------------------------------------------------------------------------------


def test_a_record_shows_itself_as_text_html_latex_and_json() -> None:
    record = pt.critical("x*tanh(x)*0.9 + x")
    assert str(record).startswith("x*tanh(x)*0.9 + x in mlp: criticality\n  class")
    page = record._repr_html_()
    assert "<table>" in page
    assert "half-stable" in str(pt.critical("gelu"))
    assert r"K^\star &= 0" in pt.critical("tanh").to_latex()
    stored = json.loads(json.dumps(pt.critical("gelu").to_json()))
    assert stored["schema"] == "pertheory.critical/1"
    assert stored["class"] == "half-stable"
    assert stored["points"][0]["K"] == pytest.approx(3.5615528, rel=1e-7)
    assert stored["searched"] == {"K": [1e-3, 1e3]}
    assert pt.critical("relu").to_json()["points"] == [{"C_b": 0.0, "C_W": 2.0, "K": None, "stability": "neutral"}]


def test_a_rule_that_keeps_pairs_only_is_marked() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rule = pt.network("skip", closure="pairs")
    record = pt.critical("relu", rule)
    assert pytest.approx(1.5) == record.points[0].C_W
    assert "approximation" in record.notes[-1]


@pytest.mark.parametrize(
    ("given", "parameters", "words"),
    [
        ("tanhh", {}, "unknown activation 'tanhh'"),
        ("tanh", {"C_W": 2}, "C_W is what criticality fixes"),
        ("relu", {"slope": 1}, "relu has no parameter 'slope'"),
        ("swish", {"beta": float("nan")}, "parameter 'beta' of swish"),
        ("relu", {"network": "residual", "gamma": float("inf")}, "gamma must be a finite number"),
        ("tanh", {"network": "deep_linear"}, "deep_linear has no function; its activation is linear, not tanh"),
        ("squareplus", {"b": BETA}, "depend on beta in no simple way"),
        ("x - a", {"a": sympy.Symbol("b")}, "depend on b in no simple way"),
        ("tanh(a*x) + x^2", {"a": sympy.Symbol("b")}, "depends on the sign of"),
        ("relu", {"network": "skip"}, "closure"),
        ("0*x", {}, "the derivative of the activation vanishes"),
    ],
)
def test_bad_input_is_one_line(given: str, parameters: dict[str, object], words: str) -> None:
    with pytest.raises(pt.PertheoryError, match=words) as caught:
        pt.critical(given, **parameters)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], [1.0]), "lists of variances"),
        (([-1.0], [1.0]), "lists of variances"),
        (([0.0], [1.0], 1e9), "start must be a kernel"),
    ],
)
def test_bad_axes_are_one_line(arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(pt.InputError, match=words):
        pt.critical("tanh").phase_diagram(*arguments)
    with pytest.raises(pt.InputError, match="kernels must be finite and positive"):
        pt.critical("tanh").chi_perp(-1.0)
    with pytest.raises(pt.InputError, match="sigmoid has no critical point; give C_b and C_W"):
        pt.critical("sigmoid").chi_perp(1.0)


@pytest.mark.parametrize(
    ("activation", "rule", "given"),
    [("tanh", "residual", {"gamma": 1}), ("tanh", "residual", {"gamma": 2}), ("max(x,100) - 100", "mlp", {})],
)
def test_a_point_whose_variance_is_none_is_no_point(activation, rule, given):
    """C_W = 1 - gamma^2 is zero or negative; and where s' all but vanishes it would be beyond all numbers."""
    found = pt.critical(activation, rule, **given)
    assert (found.universality, found.points) == ("none", ())


def test_a_straight_line_in_disguise_is_one():
    found = pt.critical("swish", beta=0)
    assert (found.universality, found.points[0].C_W, found.nu) == ("scale-invariant", 4, 2)


def test_inner_parameters_that_are_given_are_those_of_the_point():
    """z' = gamma z + W2 s(W1 s(z)) of ReLU: K' = (gamma^2 + C_W C_W1/2) K, and C_W C_b1/2 more with an inner bias."""
    assert pt.critical("relu", "residual", C_W1=0.5).points[0].C_W == 3
    assert pt.critical("relu", "residual", C_b1=0.5).points == ()
    odd = pt.critical("tanh", "residual", C_W1=0.5)
    assert float(odd.chi_perp(1e-9)) == pytest.approx(1, abs=1e-6)


def test_kinks_beyond_the_range_still_decide():
    for text, stability in (("max(0, min(300, x))", "stable"), ("max(0, x) + 0.5*max(0, x - 300)", "unstable")):
        points = pt.critical(text).points
        assert [own.stability for own in points if own.K == 0] == [stability]


@pytest.mark.parametrize("beta", [0.01, 0.1, 200])
def test_the_unit_of_z_does_not_decide_the_class(beta):
    """s(z; b) = s(b z; 1)/b, so that K* goes as b^-2, beyond the range that is searched at b = 1."""
    one, own = pt.critical("swish"), pt.critical("swish", beta=beta)
    assert own.universality == "half-stable"
    point, scaled = one.points[0], own.points[0]
    assert (scaled.C_W, scaled.K * beta**2, scaled.C_b * beta**2) == pytest.approx((point.C_W, point.K, point.C_b))
    assert own.nu == pytest.approx(one.nu)
    assert own.searched.low < scaled.K < own.searched.high
