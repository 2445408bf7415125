"""Critical points and fixed points: known values, and direct iteration with brute force in many digits."""

from __future__ import annotations

import math

import mpmath
import pytest

import pertheory as pt
from pertheory.errors import InputError, UnsupportedError
from pertheory.rulebook.network import network
from pertheory.solve.critical import (
    critical_points,
    fixed_points,
    is_zero_critical,
    search,
    susceptibilities,
    zero_point,
)
from pertheory.solve.roots import root

MLP = network("mlp")
#: C_b, C_W, K* of the half-stable points, in the digits of the literature
HALF_STABLE = {"gelu": (0.17292239, 1.98305826, 3.5615528), "swish": (0.5551431707, 1.98800468, 14.3201736)}


def brute(of, kernel):
    """<of(z)> over a Gaussian of variance K by mpmath's own quadrature."""
    density = mpmath.sqrt(2 * mpmath.pi * kernel)
    ends = [-mpmath.inf, -1, 0, 1, mpmath.inf]
    return mpmath.quad(lambda z: of(z) * mpmath.exp(-z * z / (2 * kernel)) / density, ends)


def gelu(z):
    return z * (1 + mpmath.erf(z / mpmath.sqrt(2))) / 2


def swish(z):
    return z / (1 + mpmath.exp(-z))


@pytest.mark.parametrize("name", HALF_STABLE)
def test_half_stable_points_are_those_of_the_literature(name):
    ((precise, double),) = critical_points(MLP, name)
    for point in (precise, double):
        found = [float(value) for value in (point.couplings["C_b"], point.couplings["C_W"], point.kernel)]
        assert found == pytest.approx(HALF_STABLE[name], rel=3e-8)


@pytest.mark.parametrize(("name", "function"), [("gelu", gelu), ("swish", swish)])
def test_at_a_half_stable_point_brute_force_finds_no_change(name, function):
    """K' = K and both susceptibilities are one, by quadrature of the definitions and numerical derivatives."""
    ((point, _),) = critical_points(MLP, name)
    with mpmath.workdps(25):
        bias, weight = point.couplings["C_b"], point.couplings["C_W"]

        def above(kernel):
            return bias + weight * brute(lambda z: function(z) ** 2, kernel)

        assert abs(above(point.kernel) - point.kernel) < 1e-15
        assert abs(mpmath.diff(above, point.kernel) - 1) < 1e-9
        assert abs(weight * brute(lambda z: mpmath.diff(function, z) ** 2, point.kernel) - 1) < 1e-9


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "x2", "x3", "tanh", "relu"])
def test_others_have_no_point_with_a_kernel_above_zero(name):
    assert search(MLP, name) == []


@pytest.mark.parametrize(("name", "expected"), [("tanh", (1, -2, -2)), ("sin", (1, -1, -1))])
def test_tanh_and_sin_are_critical_at_zero(name, expected):
    with mpmath.workdps(25):
        point = zero_point(MLP, name)
        assert point.couplings["C_b"] == 0
        assert [point.couplings["C_W"], point.coefficients["a_1"], point.coefficients["b_1"]] == [
            pytest.approx(value, abs=1e-15) for value in expected
        ]
        assert point.decay.root == 1


def test_what_is_critical_at_zero():
    found = {name: is_zero_critical(MLP, name) for name in ("tanh", "sin", "gelu", "sigmoid", "relu", "x2", "linear")}
    assert found == {
        **dict.fromkeys(("tanh", "sin", "gelu", "linear"), True),
        "sigmoid": False,
        "relu": False,
        "x2": False,
    }
    with pytest.raises(UnsupportedError, match="kink at 0"):
        zero_point(MLP, "relu")
    with pytest.raises(UnsupportedError, match=r"sigmoid has s\(0\) != 0"):
        zero_point(MLP, "sigmoid")


@pytest.mark.parametrize("gamma", [0.3, 0.5])
@pytest.mark.parametrize("name", ["projection", "residual"])
def test_residual_rules_have_critical_points_of_their_own(name, gamma):
    """K* of GELU does not change where s acts on fields of variance K; C_b and C_W scale with 1 - gamma^2."""
    ((precise, _),) = critical_points(name, "gelu", {"gamma": gamma})
    bias, weight, kernel = HALF_STABLE["gelu"]
    share = 1 - gamma**2
    found = [float(precise.couplings["C_b"]), float(precise.couplings["C_W"]), float(precise.kernel)]
    assert found == pytest.approx([bias * share, weight * share, kernel], rel=3e-8)
    with mpmath.workdps(25):
        point = zero_point(network(name), "tanh", {"gamma": gamma})
        assert float(point.couplings["C_W"]) == pytest.approx(share, abs=1e-15)
        assert float(point.coefficients["a_1"]) == pytest.approx(-2 * share, abs=1e-15)


@pytest.mark.parametrize("name", ["mlp", "projection", "residual"])
def test_relu_is_critical_at_every_kernel(name):
    gamma = dict(network(name).hyperparameters).get("gamma", 0.0)
    for kernel in (0.1, 1.0, 30.0):
        found = susceptibilities(name, "relu", kernel, {"C_W": 2 * (1 - gamma**2)})
        assert list(found) == pytest.approx([kernel, 1, 1], rel=1e-12)


def test_susceptibilities_are_those_of_brute_force():
    with mpmath.workdps(20):
        found = susceptibilities(MLP, "tanh", 0.7, {"C_b": 0.2, "C_W": 1.5})
        above = 0.2 + 1.5 * brute(lambda z: mpmath.tanh(z) ** 2, mpmath.mpf("0.7"))
        slope = mpmath.diff(lambda kernel: 1.5 * brute(lambda z: mpmath.tanh(z) ** 2, kernel), mpmath.mpf("0.7"))
        across = 1.5 * brute(lambda z: mpmath.sech(z) ** 4, mpmath.mpf("0.7"))
    assert list(found) == pytest.approx([float(above), float(slope), float(across)], rel=1e-9)


@pytest.mark.parametrize(
    ("name", "function", "couplings"),
    [("tanh", mpmath.tanh, {"C_b": 0.1, "C_W": 1.8}), ("gelu", gelu, {"C_b": 0.3, "C_W": 1.6})],
)
def test_fixed_points_are_where_direct_iteration_ends(name, function, couplings):
    (found,) = [point for point in fixed_points(MLP, name, couplings) if point.parallel < 1]
    with mpmath.workdps(15):
        kernel = mpmath.mpf(1)
        for _ in range(200):
            new = couplings["C_b"] + couplings["C_W"] * brute(lambda z: function(z) ** 2, kernel)
            if abs(new - kernel) < 1e-11:
                break
            kernel = new
    assert found.kernel == pytest.approx(float(kernel), rel=1e-9)


def test_a_fixed_point_stands_still_in_a_run():
    (point,) = [p for p in fixed_points("residual", "tanh", {"C_b": 0.2, "C_W": 1.1}) if p.parallel < 1]
    couplings = dict(network("residual").hyperparameters) | {"C_b": 0.2, "C_W": 1.1}
    size = math.sqrt((point.kernel - 0.2) / 1.1)
    states = pt.theory("residual", ["G"], 0).compile(inputs="one")([[size]], "tanh", 10, **couplings)
    assert states[10]["G"].item() == pytest.approx(point.kernel, rel=1e-9)


def test_linear_networks_have_no_isolated_point():
    assert fixed_points("deep_linear", "linear", {"C_b": 0.5, "C_W": 0.5})[0].kernel == pytest.approx(1.0, rel=1e-12)
    assert search(network("deep_linear"), "linear") == []


def test_unknown_hyperparameters_are_named():
    with pytest.raises(InputError, match="mlp has no hyperparameter 'gamma'"):
        critical_points("mlp", "gelu", {"gamma": 0.5})


def test_a_bracketed_root():
    assert root(lambda x: x**3 - 2, 0.0, 2.0) == pytest.approx(2 ** (1 / 3), rel=1e-14)
    assert root(lambda x: math.exp(-20 * x) - 0.5, 0.0, 5.0) == pytest.approx(math.log(2) / 20, rel=1e-12)
