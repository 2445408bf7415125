"""The emitted routine for Gaussian averages against the NumPy one, closed forms and plain integration; its limits."""

import ctypes
import itertools
import math
import shutil
import subprocess
import warnings
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad

import pertheory as pt
from pertheory.averages.gaussian import GaussianAverages
from pertheory.averages.planning import plan_averages
from pertheory.emit.c.averages import print_averages
from pertheory.emit.c.averages.functions import CALLS
from pertheory.functions.activation import activation
from pertheory.functions.derivatives import _EVALUATE
from pertheory.kernels.lower import lower
from tests.emit import harness

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")

HEADER = Path(pt.__file__).parent / "emit" / "c"
#: routines (a function and an order) compiled as users do, one for each method; all others without optimisation, which
#: would take most of the time of these tests
OPTIMISED = {("tanh", 1), ("relu", 1), ("elu", 1), ("gelu", 0)}
OK, BAD_ARGUMENT, SHORT_WORKSPACE, NOT_FINITE, DIVERGENT = 0, 1, 2, 3, 7
POINTER = ctypes.POINTER(ctypes.c_double)
PROTOTYPES = """#include "pertheory.h"
int t_builtin_average(void *, size_t, const double *, int, size_t, const int *, double *const *, double *, size_t,
                      double *);
size_t t_builtin_workspace(size_t);
"""


class Routine:
    """The compiled routine of a theory for one activation; without closed forms of pairs if they are not wanted."""

    def __init__(self, name, order, inputs, closed=True):
        self.activation = activation(name)
        program = lower(pt.theory("mlp", order=order), inputs, not self.activation.is_smooth)
        self.arrays = [array for level in program.levels for array in level.averages]
        folder = Path(mkdtemp(prefix="pertheory-test-"))
        try:
            plan = plan_averages(program, {"s": self.activation})
            self.is_closed = all(group.pairs is not None for group in plan.groups)
            if not closed:
                plan = plan._replace(groups=tuple(g._replace(singles=None, pairs=None) for g in plan.groups))
            text = print_averages(plan, "t")
            (folder / "t.c").write_text(PROTOTYPES + text)
            level = "-O2" if (name, order) in OPTIMISED and closed else "-O0"
            command = ["gcc", *harness.STRICT, level, f"-I{HEADER}", "-fPIC", "-shared", "t.c", "-o", "t.so", "-lm"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[:2000]
            self.library = ctypes.CDLL(str(folder / "t.so"))
        finally:
            shutil.rmtree(folder)
        self.library.t_builtin_workspace.restype = ctypes.c_size_t
        self.library.t_builtin_workspace.argtypes = [ctypes.c_size_t]

    def workspace(self, inputs):
        return self.library.t_builtin_workspace(inputs)

    def call(self, k, requests, outs, short=0):
        """The raw call: status and error estimate; the guard behind the workspace must stay."""
        k = np.ascontiguousarray(k, dtype=float)
        size = self.workspace(len(k))
        work = np.full(size + 64, 4.25)
        pointers = (POINTER * len(outs))(*[out.ctypes.data_as(POINTER) for out in outs])
        numbers = (ctypes.c_int * len(requests))(*requests)
        worst = ctypes.c_double(0.0)
        status = self.library.t_builtin_average(
            None, ctypes.c_size_t(len(k)), k.ctypes.data_as(POINTER), 0, ctypes.c_size_t(len(requests)), numbers,
            pointers, work.ctypes.data_as(POINTER), ctypes.c_size_t(size - short), ctypes.byref(worst),
        )  # fmt: skip
        assert (work[size:] == 4.25).all()
        return status, worst.value

    def __call__(self, k):
        """Dense arrays of all requests; every place must be written, and none behind the last."""
        n = len(k)
        sizes = [math.prod(math.comb(n + m - 1, m) for m in array.classes) for array in self.arrays]
        outs = [np.full(size + 1, 4.25) for size in sizes]
        self.status, self.worst = self.call(k, range(len(outs)), outs)
        assert all(out[-1] == 4.25 and not (out[:-1] == 4.25).any() for out in outs)
        return [dense(array.classes, out, n) for array, out in zip(self.arrays, outs, strict=True)]

    def value(self, found, *factors):
        """The array of a request given as derivative orders, one tuple an axis."""
        wanted = tuple((0, tuple(("s", order) for order in factor)) for factor in factors)
        return found[[array.request for array in self.arrays].index(wanted)]


def dense(classes, packed, n):
    """Unpack as `pertheory.h` describes: indices of a class do not increase, in lexicographic order."""
    stored = [
        [index for index in itertools.product(range(n), repeat=m) if list(index) == sorted(index, reverse=True)]
        for m in classes
    ]
    places = {tuple(itertools.chain(*parts)): n for n, parts in enumerate(itertools.product(*stored))}
    result = np.empty((n,) * sum(classes))
    for index in np.ndindex(*result.shape):
        key, start = [], 0
        for m in classes:
            key += sorted(index[start : start + m], reverse=True)
            start += m
        result[index] = packed[places[tuple(key)]]
    return result


@cache
def routine(name, order=1, inputs="many", closed=True):
    return Routine(name, order, inputs, closed)


def disagreement(name, k):
    """The largest difference from the NumPy routine, relative to the largest entry of each average.

    Where functions have kinks, only entries at distinct inputs are read; they must be infinite in both or in none.
    """
    k = np.array(k, dtype=float)
    own = routine(name)
    found = own(k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = GaussianAverages({"s": own.activation})(k, [array.request for array in own.arrays])
    worst = 0.0
    for one, two in zip(found, wanted, strict=True):
        for index in np.ndindex(*one.shape):
            if not own.activation.is_smooth and len(set(index)) < len(index):
                continue
            assert np.isnan(one[index]) == np.isnan(two[index]), index
            if not np.isnan(two[index]):
                worst = max(worst, abs(one[index] - two[index]) / (np.nanmax(np.abs(two)) or 1.0))
    return worst


def inputs_of(seed, count, size):
    return np.random.default_rng(seed).normal(size=(count, size))


def gram(x, scale=1.0):
    return scale * x @ x.T / x.shape[1]


SMOOTH = ["tanh", "erf", "gelu", "sin", "x3", "softplus"]
ORTHANTS = ["relu", "leaky_relu"]
PANELS = ["elu", "hard_tanh", "max(0,x)*tanh(x)"]


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("name", SMOOTH + ORTHANTS + PANELS)
def test_one_and_two_inputs_agree_with_numpy(name, count):
    assert disagreement(name, gram(inputs_of(count, count, 6), 0.8)) < 1e-11


@pytest.mark.parametrize("name", ["tanh", "gelu", "relu", "leaky_relu", "hard_tanh", "elu"])
def test_three_inputs_agree_with_numpy(name):
    assert disagreement(name, gram(inputs_of(3, 3, 20))) < 1e-11


@pytest.mark.parametrize("name", ["tanh", "relu", "abs"])
def test_four_inputs_agree_with_numpy(name):
    assert disagreement(name, gram(inputs_of(4, 4, 8))) < 1e-11


X = inputs_of(5, 4, 5)
HARD = {
    "rank 2": inputs_of(6, 4, 2),
    "rank 1": inputs_of(7, 3, 1),
    "nearly collinear": X[:1] + 1e-3 * X[1:],
    "repeated, opposite, scaled": np.vstack([X[0], X[1], 2 * X[0], -X[1]]),
    "zero and repeated": np.vstack([X[0], np.zeros(5), X[1], X[0]]),
    "zeros": np.zeros((3, 5)),
}


@pytest.mark.parametrize("what", HARD)
@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_dependent_inputs_agree_with_numpy(name, what):
    assert disagreement(name, gram(HARD[what])) < 1e-11


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 30.0, 1e4])
@pytest.mark.parametrize("name", ["tanh", "relu", "hard_tanh"])
def test_kernels_of_any_size_agree_with_numpy(name, scale):
    assert disagreement(name, gram(inputs_of(8, 2, 6), scale)) < 1e-11


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e8])
def test_polynomials_of_four_inputs_take_the_same_nodes_at_every_size(scale):
    """They have no width of their own; nodes for a function that has one would be a million times as many."""
    assert disagreement("x3", gram(inputs_of(4, 4, 8), scale)) < 1e-11


def test_erf_averages_are_the_closed_forms():
    k = gram(inputs_of(9, 6, 8), 1.3)
    own = routine("erf", order=0)
    found = own(k)
    scale = np.sqrt(np.outer(1 + 2 * k.diagonal(), 1 + 2 * k.diagonal()))
    assert own.status == OK
    np.testing.assert_allclose(own.value(found, (0,), (0,)), 2 / np.pi * np.arcsin(2 * k / scale), rtol=0, atol=1e-12)
    slopes = 4 / np.pi / np.sqrt(scale**2 - 4 * k**2)
    np.testing.assert_allclose(own.value(found, (1,), (1,)), slopes, rtol=1e-12)


def test_relu_averages_are_the_arc_cosine_kernels():
    k = gram(inputs_of(10, 5, 8))
    own = routine("relu", order=0)
    found = own(k)
    norms = np.sqrt(np.outer(k.diagonal(), k.diagonal()))
    angle = np.arccos(np.clip(k / norms, -1, 1))
    first = norms / (2 * np.pi) * (np.sin(angle) + (np.pi - angle) * np.cos(angle))
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(own.value(found, (0,), (0,))[off], first[off], rtol=1e-13)
    np.testing.assert_allclose(own.value(found, (1,), (1,))[off], (0.5 - angle / (2 * np.pi))[off], rtol=1e-13)


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12])
def test_closed_forms_of_nearly_opposite_inputs_keep_their_digits(gap):
    """What is left of relu cancels in its closed form; the arc-cosine formula with 40 digits does not mind."""
    rho = -1 + gap
    k = np.array([[1.0, rho / 2], [rho / 2, 0.25]])
    own = routine("relu", order=0)
    found = own(k)
    with mpmath.workdps(40):
        a, b, c = (mpmath.mpf(float(x)) for x in (k[0, 0], k[1, 1], k[0, 1]))
        wide = mpmath.sqrt(a * b - c * c)
        angle = mpmath.atan2(wide, -c)
        exact = {(0,): (wide + c * angle) / (2 * mpmath.pi), (1,): angle / (2 * mpmath.pi)}
    assert own.status == OK
    for orders, value in exact.items():
        assert own.value(found, orders, orders)[0, 1] == pytest.approx(float(value), rel=1e-10)


@pytest.mark.parametrize("spread", [1.0, 100.0, 1e4])
@pytest.mark.parametrize("rho", [0.5, -0.999, -1 + 2.0**-30])
def test_closed_forms_of_gelu_are_what_sums_are(spread, rho):
    k = spread**2 * np.array([[1.0, rho / 2], [rho / 2, 0.25]])
    own, other = routine("gelu", order=0), routine("gelu", order=0, closed=False)
    for one, two in zip(own(k), other(k), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-9)
    assert own.status == other.status == OK


def test_four_relus_in_a_plane_are_an_integral_over_the_angle():
    x = inputs_of(6, 4, 2)
    own = routine("relu")
    found = own.value(own(gram(x)), (0,), (0,), (0,), (0,))[0, 1, 2, 3]

    def circle(phi):
        return np.prod(np.maximum(x @ [np.cos(phi), np.sin(phi)] / np.sqrt(2), 0))

    cuts = sorted((np.arctan2(row[0], -row[1]) + turn) % (2 * np.pi) for row in x for turn in (0, np.pi))
    edges = [0.0, *cuts, 2 * np.pi]
    exact = sum(quad(circle, a, b, epsabs=1e-14)[0] for a, b in itertools.pairwise(edges)) / (2 * np.pi) * 8
    assert exact > 0
    assert found == pytest.approx(exact, rel=1e-11)  # <r^4> = 8 in the plane


@pytest.mark.parametrize("name", ["hard_tanh", "elu"])
def test_four_kinked_functions_of_independent_inputs_are_products(name):
    own = routine(name)
    variances = np.array([0.7, 1.0, 1.4, 2.1])
    found = own(np.diag(variances))
    slope = own.activation.derivative(1)

    def mean(v):
        parts = [
            quad(lambda z: float(slope([z])[0]) * math.exp(-z * z / (2 * v)), a, b, epsabs=1e-14)[0]
            for a, b in itertools.pairwise([-14.0, -1.0, 0.0, 1.0, 14.0])
        ]
        return sum(parts) / math.sqrt(2 * math.pi * v)

    got = own.value(found, (1,), (1,), (1,), (1,))[0, 1, 2, 3]
    assert got == pytest.approx(math.prod(map(mean, variances)), rel=1e-11)
    assert own.worst < 1e-9


def test_a_derivative_in_the_covariance_is_an_average_of_derivatives():
    """d<s s s s>/dK_34 is <s s s' s'>, by a central difference: for a kinked function over four inputs."""
    k = gram(inputs_of(12, 4, 16))
    own = routine("hard_tanh")
    step = np.zeros((4, 4))
    step[2, 3] = step[3, 2] = 1e-3
    up, down = (own.value(own(k + sign * step), (0,), (0,), (0,), (0,))[0, 1, 2, 3] for sign in (1, -1))
    exact = own.value(own(k), (1,), (1,), (0,), (0,))[2, 3, 0, 1]
    assert (up - down) / 2e-3 == pytest.approx(exact, rel=1e-4)


def test_many_inputs_are_the_same_as_pairs_of_them():
    x = inputs_of(13, 70, 12)
    x /= np.linalg.norm(x, axis=1)[:, None] / np.sqrt(12)
    x[1::2] *= 1.5
    own = routine("tanh", order=0)
    k = gram(x)
    many = own(k)
    for i, j in [(0, 1), (3, 69), (64, 65), (12, 12)]:
        pair = [i, j] if i != j else [i]
        few = own(k[np.ix_(pair, pair)])
        for one, two in zip(many, few, strict=True):
            assert one[i, j] == pytest.approx(two[0, -1], abs=1e-12)


def test_one_input_at_a_time_is_plain_integration():
    one = routine("tanh", inputs="one")
    found = one([[0.9]])
    whole = quad(lambda z: math.tanh(z) ** 4 * math.exp(-z * z / 1.8), -13, 13, epsabs=1e-15)[0]
    assert one.status == OK
    assert float(one.value(found, (0, 0, 0, 0))[0]) == pytest.approx(whole / math.sqrt(1.8 * math.pi), abs=1e-13)


def test_an_infinite_average_is_nan_and_said_to_be():
    own = routine("relu")
    found = own(gram(inputs_of(14, 2, 5)))
    assert own.status == DIVERGENT  # two deltas of one input
    assert np.isnan(own.value(found, (2, 2))).all()
    assert np.isfinite(own.value(found, (2,), (2,))[0, 1])


def test_an_average_that_does_not_exist_is_not_a_number():
    own = routine("exp(x^2/4)", order=0)
    found = own([[3.0]])
    assert own.status == DIVERGENT
    assert np.isnan(own.value(found, (0,), (0,))[0, 0])
    found = own([[0.2]])
    assert own.status == OK
    assert own.value(found, (0,), (0,))[0, 0] == pytest.approx(1 / math.sqrt(1 - 0.2), rel=1e-12)


@pytest.mark.parametrize("inputs", [1, 2, 5])
def test_wrong_arguments_are_statuses(inputs):
    own = routine("tanh")
    k = gram(inputs_of(15, inputs, 8))
    outs = [np.zeros(inputs * (inputs + 1) // 2)]
    first = [array.request for array in own.arrays].index(((0, (("s", 0),)),) * 2)
    assert own.call(k, [first], outs)[0] == OK
    assert own.call(k, [first], outs, short=1)[0] == SHORT_WORKSPACE
    assert own.call(k, [len(own.arrays)], outs)[0] == BAD_ARGUMENT
    assert own.call(k, [-1], outs)[0] == BAD_ARGUMENT
    assert own.call(-k, [first], outs)[0] == BAD_ARGUMENT
    for bad in (math.nan, math.inf):
        wrong = k.copy()
        wrong[-1, 0] = bad
        assert own.call(wrong, [first], outs)[0] == NOT_FINITE
    nothing = [None, ctypes.c_size_t(1), None, 0, ctypes.c_size_t(1), None, None, None, ctypes.c_size_t(0), None]
    assert own.library.t_builtin_average(*nothing) == BAD_ARGUMENT


def test_the_text_is_the_same_every_time():
    program = lower(pt.theory("mlp", order=1), "many", True)
    texts = {print_averages(plan_averages(program, {"s": activation("hard_tanh")}), "t") for _ in range(2)}
    assert len(texts) == 1


def test_an_error_function_of_large_variance_is_a_step():
    k = 1e8 * np.array([[1.0, 0.3], [0.3, 1.0]])
    own = routine("erf", order=0)
    found = own.value(own(k), (0,), (0,))[0, 1]
    assert found == pytest.approx(2 / np.pi * np.arcsin(2 * k[0, 1] / (1 + 2 * k[0, 0])), abs=1e-10)


def test_workspace_is_linear_in_the_inputs():
    sizes = [routine("tanh").workspace(n) for n in (1, 2, 3, 101)]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0]
    assert sizes[3] - sizes[0] == 100 * (sizes[1] - sizes[0])


@pytest.mark.parametrize("name", ["tanh", "x3", "elu", "relu"])
@pytest.mark.parametrize("scale", [1e150, 1e200, 1e308])
def test_covariances_whose_products_overflow_are_refused_at_once(name, scale):
    k = np.array([[1.0, 0.3], [0.3, 0.5]]) * scale
    own = routine(name)
    found = own(k)
    assert own.status != OK
    assert all(np.isnan(array).any() for array in found) or name == "relu"
    assert not any(np.isinf(array).any() for array in found)


@pytest.mark.parametrize("scale", [1e9, 1e12, 1e16])
def test_steps_that_are_narrow_against_their_inputs_are_what_signs_are(scale):
    """tanh at large spreads: <s' s'> is four times the density at zero, <s s> an arcsine, less than 1/scale away."""
    k = scale * np.array([[1.0, 0.3], [0.3, 0.5]])
    own = routine("tanh", order=0)
    found = own(k)
    assert own.status == OK
    rho = 0.3 / math.sqrt(0.5)
    density = 1 / (2 * math.pi * math.sqrt(k[0, 0] * k[1, 1] * (1 - rho**2)))
    assert own.value(found, (1,), (1,))[0, 1] == pytest.approx(4 * density, rel=2e-9)
    assert own.value(found, (0,), (0,))[0, 1] == pytest.approx(2 / math.pi * math.asin(rho), rel=2e-9)


def test_every_function_of_formulas_has_its_c():
    assert set(_EVALUATE) <= set(CALLS)
