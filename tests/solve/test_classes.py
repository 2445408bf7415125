"""Every activation of PyTorch: its class and its numbers, by a search in 25 digits that shares no code with ours.

The functions and their derivatives are typed in from PyTorch's documentation, averages are taken by Gauss and
Legendre's rule between kinks, and the conditions are the definitions: C_W <s' s'> = 1, <s s (z^2 - K)> = 2 K^2 <s' s'>.
"""

from __future__ import annotations

import mpmath
import pytest
from mpmath import mpf

import pertheory as pt
from pertheory.rulebook.files import read_toml, rules_folder

(TORCH,) = (f for f in read_toml(rules_folder() / "frameworks.toml")["frameworks"] if f["name"] == "PyTorch, modules")
NAMES = sorted((*TORCH["same"], *TORCH["differs"]))
LAMBDA, ALPHA, SCALE = mpf("0.5"), mpf("1.6732632423543772848170429916717"), mpf("1.0507009873554804934193349852946")


def sign(z):
    return (z > 0) - (z < 0)


def sigmoid(z):
    return 1 / (1 + mpmath.exp(-z))


def density(z):
    return mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)


def elu(scale, alpha):
    return (
        lambda z: scale * (z if z > 0 else alpha * mpmath.expm1(z)),
        lambda z: scale * (1 if z > 0 else alpha * mpmath.exp(z)),
        (0,),
    )


def slopes(below):
    return lambda z: z if z > 0 else below * z, lambda z: mpf(1) if z > 0 else mpf(below), (0,)


def clipped(low, high):
    return lambda z: min(max(z, low), high), lambda z: mpf(low < z < high), (low, high)


def mish(z):
    return z * mpmath.tanh(mpmath.log1p(mpmath.exp(z)))


def mish_slope(z):
    part = mpmath.tanh(mpmath.log1p(mpmath.exp(z)))
    return part + z * sigmoid(z) * (1 - part**2)


#: the function, its derivative, its kinks
FUNCTIONS = {
    "CELU": elu(1, 1),
    "ELU": elu(1, 1),
    "GELU": (lambda z: z * mpmath.ncdf(z), lambda z: mpmath.ncdf(z) + z * density(z), ()),
    "Hardsigmoid": (lambda z: min(max(z / 6 + mpf(1) / 2, 0), 1), lambda z: mpf(-3 < z < 3) / 6, (-3, 3)),
    "Hardswish": (
        lambda z: 0 if z < -3 else z if z > 3 else z * (z + 3) / 6,
        lambda z: 0 if z < -3 else 1 if z > 3 else (2 * z + 3) / 6,
        (-3, 3),
    ),
    "Hardtanh": clipped(-1, 1),
    "Identity": (lambda z: z, lambda z: mpf(1), ()),
    "LeakyReLU": slopes(mpf("0.01")),
    "LogSigmoid": (lambda z: mpmath.log(sigmoid(z)), lambda z: sigmoid(-z), ()),
    "Mish": (mish, mish_slope, ()),
    "PReLU": slopes(mpf("0.25")),
    "ReLU": slopes(0),
    "ReLU6": clipped(0, 6),
    "SELU": elu(SCALE, ALPHA),
    "SiLU": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) * (1 + z * sigmoid(-z)), ()),
    "Sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z), ()),
    "Softplus": (lambda z: mpmath.log1p(mpmath.exp(z)), sigmoid, ()),
    "Softshrink": (lambda z: sign(z) * max(abs(z) - LAMBDA, 0), lambda z: mpf(abs(z) > LAMBDA), (-LAMBDA, LAMBDA)),
    "Softsign": (lambda z: z / (1 + abs(z)), lambda z: 1 / (1 + abs(z)) ** 2, (0,)),
    "Tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2, ()),
    "Tanhshrink": (lambda z: z - mpmath.tanh(z), lambda z: mpmath.tanh(z) ** 2, ()),
}
LINES = ("Identity", "LeakyReLU", "PReLU", "ReLU")
AT_ZERO = ("CELU", "ELU", "Hardtanh", "ReLU6", "SELU", "Softsign", "Tanh")
#: where the search by hand begins
HALF_STABLE = {"GELU": 3.5, "Hardswish": 5, "Mish": 1.6, "SiLU": 14}
NOWHERE = ("Hardsigmoid", "LogSigmoid", "Sigmoid", "Softplus", "Tanhshrink")
DIGITS = 25


def averages(name, kernel):
    """<s s>, <s s (z^2 - K)>/(2 K^2) and <s' s'>."""
    function, slope, kinks = FUNCTIONS[name]
    width = mpmath.sqrt(kernel)
    ends = sorted({mpf(-12), mpf(-6), mpf(-2), mpf(0), mpf(2), mpf(6), mpf(12), *(kink / width for kink in kinks)})
    ends = [end for end in ends if abs(end) <= 12]

    def panels(of):
        return mpmath.quad(lambda t: of(t, width * t) * density(t), ends, method="gauss-legendre", maxdegree=6)

    square = panels(lambda t, z: mpmath.mpf(function(z)) ** 2)
    parallel = panels(lambda t, z: mpmath.mpf(function(z)) ** 2 * (t * t - 1)) / (2 * kernel)
    return square, parallel, panels(lambda t, z: mpmath.mpf(slope(z)) ** 2)


def gap(name, kernel):
    _, parallel, perpendicular = averages(name, mpf(kernel))
    return parallel / perpendicular - 1


def variances(name, kernel):
    """C_b and C_W that keep the kernel and chi_perp = 1."""
    square, _, perpendicular = averages(name, mpf(kernel))
    return kernel - square / perpendicular, 1 / perpendicular


@pytest.fixture(autouse=True)
def many_digits():
    with mpmath.workdps(DIGITS):
        yield


def test_every_activation_of_the_list_is_here():
    known = (*LINES, *AT_ZERO, *HALF_STABLE, *NOWHERE, "Softshrink", "Hardshrink")
    assert sorted(known) == NAMES


def found(name, universality):
    record = pt.critical(f"torch.nn.{name}")
    assert record.universality == universality
    return record


@pytest.mark.parametrize("name", LINES)
def test_lines(name):
    record = found(name, "scale-invariant")
    (point,) = record.points
    assert (point.K, point.C_b) == (None, 0)
    for kernel in (mpf("0.1"), mpf(7)):
        bias, weight = variances(name, kernel)
        assert abs(gap(name, kernel)) < 1e-18
        assert abs(bias) < 1e-18
        assert pytest.approx(float(weight), rel=1e-14) == point.C_W


@pytest.mark.parametrize("name", AT_ZERO)
def test_critical_at_zero(name):
    """The gap closes as K tends to 0, and at the variances of that limit kernels fall."""
    record = found(name, "K*=0")
    point = record.points[0]
    assert (point.K, point.C_b, point.stability) == (0, 0, "stable")
    tiny = mpf(10) ** -16
    bias, weight = variances(name, tiny)
    assert abs(gap(name, tiny)) < 1e-7
    assert abs(bias) < 1e-18
    assert pytest.approx(float(weight), rel=1e-7) == point.C_W
    exact = variances(name, mpf(10) ** -40)[1]
    for kernel in (mpf(1), mpf("0.5")):
        assert exact * averages(name, kernel)[0] < kernel


@pytest.mark.parametrize("name", HALF_STABLE)
def test_half_stable(name):
    record = found(name, "half-stable")
    point = record.points[0]
    kernel = mpmath.findroot(lambda k: gap(name, k), (HALF_STABLE[name], HALF_STABLE[name] * 1.1), tol=1e-20)
    bias, weight = variances(name, kernel)
    assert [point.K, point.C_b, point.C_W] == [pytest.approx(float(v), rel=1e-10) for v in (kernel, bias, weight)]
    step = kernel / 1000  # next to the point: the cubic term of swish is as large as the square at a hundredth of K
    moved = [bias + weight * averages(name, k)[0] - k for k in (kernel - step, kernel + step)]
    side = "below" if min(moved) > 0 else "above" if max(moved) < 0 else "neither"
    assert point.stability == f"half-stable, from {side}"


@pytest.mark.parametrize("name", NOWHERE)
def test_nowhere_critical(name):
    """Between 1e-3 and 1e3 the gap keeps its sign; where it vanishes to all digits a bias had a negative variance."""
    assert found(name, "none").points == ()
    kernels = [mpf(10) ** (mpf(i) / 2) for i in range(-6, 7)]
    gaps = {k: gap(name, k) for k in kernels}
    assert len({sign(value) for value in gaps.values() if abs(value) > 1e-18}) == 1
    assert all(variances(name, k)[0] < 0 for k, value in gaps.items() if abs(value) <= 1e-18)


def test_softshrink_is_critical_at_every_kernel():
    record = found("Softshrink", "half-stable")
    (point,) = record.points
    for kernel in (mpf("0.2"), mpf(1), mpf(30)):
        assert abs(gap("Softshrink", kernel)) < 1e-18
    bias, weight = variances("Softshrink", mpf(1))
    assert [point.K, point.C_b, point.C_W] == [
        1,
        pytest.approx(float(bias), 1e-12),
        pytest.approx(float(weight), 1e-12),
    ]
    assert "every K > 0" in record.notes[0]


def test_a_jump_makes_gradients_infinite():
    """<s' s'> of steps of width e and height 1 is P/e, beyond every bound."""
    record = found("Hardshrink", "none")
    assert "jumps: <s' s'> is infinite" in record.notes[0]
