"""Closed forms of the kernel and the neural tangent kernel in C against series, quadrature, and 30 digits."""

import mpmath as mp
import numpy as np
import pytest

from pertheory.functions.activation import activation
from tests.emit.test_c_averages import OK, gram, inputs_of, pytestmark, routine

OVERFLOW = 6
__all__ = ["pytestmark"]

CLOSED = ["relu", "leaky_relu", "abs", "erf", "gelu", "sin", "cos", "exp", "gaussian", "x3"]
OTHERS = ["x^2*exp(-x^2) + x*erf(x)", "exp(-x/2)", "x/2 - 3*erf(2*x)"]


def compare(name, k):
    """Closed forms against the routine without them, whose nested rules aim at 1e-12 of the functions' sizes."""
    k = np.asarray(k, dtype=float)
    one, two = routine(name, 0), routine(name, 0, closed=False)
    assert one.is_closed
    for array, own, other in zip(one.arrays, one(k), two(k), strict=True):
        if array.rank == 1:
            assert own == pytest.approx(other, rel=1e-13, abs=0)
            continue
        homogeneous = np.diag(k) ** (0.5 if array.name == "avg_s0_s0" else 0.0)
        size = np.sqrt(np.diag(own)) if one.activation.is_smooth else homogeneous
        size[size == 0] = 1.0
        read = np.full(k.shape, one.activation.is_smooth) | ~np.eye(len(k), dtype=bool)
        assert np.abs((own - other) / np.outer(size, size))[read].max() < 2e-12


@pytest.mark.parametrize("name", CLOSED + OTHERS)
@pytest.mark.parametrize("scale", [1e-12, 1.0, 3.0])
def test_closed_forms_agree_with_other_methods(name, scale):
    compare(name, gram(inputs_of(4, 4, 6), scale))


def test_a_wave_with_frequency_and_offset():
    """The series is off by 4e-13 here, so the expectation is written out: <e^(i z)> of the sums and differences."""
    k = gram(inputs_of(4, 4, 6), 0.1)
    found = routine("cos(3*x) + 1", 0)(k)
    for i, j in np.ndindex(4, 4):
        fall = {v: np.exp(-4.5 * v) for v in (k[i, i], k[j, j], k[i, i] + k[j, j])}
        both, sums = fall[k[i, i] + k[j, j]], fall[k[i, i]] + fall[k[j, j]]
        assert found[0][i, j] == pytest.approx(1 + sums + both * np.cosh(9 * k[i, j]), rel=3e-15)
        assert found[1][i, j] == pytest.approx(9 * both * np.sinh(9 * k[i, j]), rel=3e-14)


@pytest.mark.parametrize("name", ["tanh", "swish", "softplus", "elu", "hard_tanh", "sin(x)*x", "erf(x)^2*x"])
def test_other_functions_are_left_to_other_methods(name):
    assert not routine(name, 0).is_closed


@pytest.mark.parametrize("name", CLOSED)
def test_equal_and_opposite_inputs(name):
    x = inputs_of(7, 2, 5)
    compare(name, gram(x[[0, 1, 0]]))
    k = gram(np.array([x[0], x[1], -x[0], x[0]]))
    own = routine(name, 0)
    found = [array for array in own(k) if array.ndim == 2]
    for array in found:
        assert array[3, :2] == pytest.approx(array[0, :2] if own.activation.is_smooth else [array[0, 3], array[0, 1]])
    if own.activation.is_smooth and name in ("erf", "sin", "x3"):  # odd functions
        assert found[0][0, 2] == pytest.approx(-found[0][0, 0], rel=1e-15)
        assert found[1][0, 2] == pytest.approx(found[1][0, 0], rel=1e-15)


@pytest.mark.parametrize("name", ["erf", "gelu", "sin", "cos", "exp", "gaussian", "x3"])
def test_inputs_of_zeros(name):
    compare(name, gram(np.array([[0.0, 0.0], [1.0, 0.5], [0.0, 0.0], [0.3, -1.0]])))
    compare(name, np.zeros((2, 2)))


def test_more_inputs_than_one_block():
    x = inputs_of(8, 150, 30)
    for name in ("relu", "gelu"):
        compare(name, gram(x))


def smoothed_gelu(mean, variance):
    """Averages of gelu and of its derivative over a Gaussian, and so the slope of the first in the mean."""
    wide = mp.sqrt(1 + variance)
    u = mean / wide
    first = mean * mp.ncdf(u) + variance / wide * mp.npdf(u)
    return first, mp.ncdf(u) + u * mp.npdf(u) * (1 - variance / wide**2)


def gelu_pair(a, b, k):
    """The inner average of gelu over w given z, integrated over z."""
    left, slope, root = b - k**2 / a, k / a, mp.sqrt(a)
    own = [lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * mp.npdf(z)]
    cuts = [-9, -3, 0, 3, 9]
    return tuple(
        mp.quad(lambda x, n=n: own[n](root * x) * smoothed_gelu(slope * root * x, left)[n] * mp.npdf(x), cuts)
        for n in (0, 1)
    )


def digits(name, a, b, k):
    """<s s> and <s' s'> to 30 digits, from textbook formulas in the correlation or by integration."""
    with mp.workdps(20 if name == "gelu" else 30):
        a, b, k = mp.mpf(float(a)), mp.mpf(float(b)), mp.mpf(float(k))
        r = k / mp.sqrt(a * b)
        r = 1 if r > 1 else -1 if r < -1 else r
        fall, angle, wide = mp.exp(-(a + b) / 2), mp.acos(r), (1 + 2 * a) * (1 + 2 * b) - 4 * k**2
        # max(0, z) max(0, w) and the same for z and -w; the steps likewise
        ramps = [mp.sqrt(a * b) / (2 * mp.pi) * (mp.sin(t) + (mp.pi - t) * mp.cos(t)) for t in (angle, mp.pi - angle)]
        steps = [(mp.pi - t) / (2 * mp.pi) for t in (angle, mp.pi - angle)]
        slope = mp.mpf(activation("leaky_relu").piece_coefficients(0)[1])
        return {
            "sin": lambda: (fall * mp.sinh(k), fall * mp.cosh(k)),
            "cos": lambda: (fall * mp.cosh(k), fall * mp.sinh(k)),
            "exp": lambda: (mp.exp((a + b) / 2 + k),) * 2,
            "gaussian": lambda: (1 / mp.sqrt(wide), 4 * k / wide**1.5),
            "erf": lambda: (2 / mp.pi * mp.atan2(2 * k, mp.sqrt(wide)), 4 / (mp.pi * mp.sqrt(wide))),
            "x3": lambda: (9 * a * b * k + 6 * k**3, 9 * (a * b + 2 * k**2)),
            "gelu": lambda: gelu_pair(a, b, k),
            "relu": lambda: (ramps[0], steps[0]),
            "abs": lambda: (2 * (ramps[0] + ramps[1]), 2 * (steps[0] - steps[1])),
            "leaky_relu": lambda: (
                (1 + slope**2) * ramps[0] - 2 * slope * ramps[1],
                (1 + slope**2) * steps[0] + 2 * slope * steps[1],
            ),
        }[name]()


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("r", [0.2, 1 - 1e-5, -1 + 1e-9, 1 - 1e-12, -1 + 1e-12, 1.0, -1.0])
@pytest.mark.parametrize(("a", "b"), [(1.25, 0.4), (9.0, 16.0)])
def test_thirty_digits(name, a, b, r):
    k = r * np.sqrt(a * b)
    own = routine(name, 0)
    found = own([[a, k], [k, b]])
    pair = [array[0, 1] for array in found if array.ndim == 2]
    squares = [np.diag(array) if own.activation.is_smooth else array for array in found]
    for value, square, wanted in zip(pair, squares, digits(name, a, b, k), strict=False):
        # k is known to half a unit, and an angle of nearly 0 or pi changes by a root of that
        known = 1e-14 if own.activation.is_smooth or abs(r) < 1 else 3e-8
        assert abs(value - wanted) < known * np.sqrt(square[0] * square[1])


def test_infinite_and_out_of_range():
    own = routine("exp", 0)
    assert np.isnan(own([[2000.0]])[0]).all()
    assert own.status == OVERFLOW
    for name in ("relu", "leaky_relu"):
        for scale in (1e-250, 1e250):
            own = routine(name, 0)
            found = [array[0, 1] for array in own(gram(inputs_of(9, 2, 4), scale))[2:]]
            assert own.status == OK
            wanted = [array[0, 1] for array in own(gram(inputs_of(9, 2, 4)))[2:]]
            assert [found[0] / scale, found[1]] == pytest.approx(wanted, rel=1e-13)
