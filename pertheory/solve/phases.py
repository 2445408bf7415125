"""Phase diagrams: for each pair of variances the kernel that signals settle at, and whether gradients grow there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pertheory.errors import InputError, UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.rulebook.network import Network
from pertheory.solve.critical import Conditions
from pertheory.solve.numbers import Doubles, named_functions
from pertheory.solve.roots import Range
from pertheory.text import shortened

#: kernels that are followed; below signals have vanished, above they explode
FOLLOWED = Range(1e-6, 1e4)
#: layers, and the relative change of a kernel in one at which it has settled
LAYERS, SETTLED = 3000, 1e-10
#: chi_perp so close to one is critical
MARGIN = 1e-3
#: kernels between which averages are interpolated
POINTS = 300

Array = NDArray[np.float64]


class PhaseDiagram(NamedTuple):
    """Arrays over the two axes: ``[i, j]`` belongs to ``C_b[i]`` and ``C_W[j]``.

    Attributes:
        C_b, C_W: the axes.
        kernel: K* that is reached from the start; 0 where signals vanish, infinity where they explode, NaN where they
            settle at nothing.
        chi_parallel, chi_perp: the susceptibilities there; at a vanished kernel their limits, NaN at an exploded one.
        phase: "ordered" (chi_perp < 1: gradients vanish), "chaotic" (chi_perp > 1: they explode), "critical",
            "exploding" (the kernel itself), "unsettled".
    """

    C_b: Array
    C_W: Array
    kernel: Array
    chi_parallel: Array
    chi_perp: Array
    phase: NDArray[np.str_]


def phase_diagram(
    rule: Network,
    function: Activation,
    biases: Sequence[float],
    weights: Sequence[float],
    start: float = 1.0,
    given: Mapping[str, Any] | None = None,
) -> PhaseDiagram:
    """The kernel followed through many layers for all pairs of variances at once.

    Args:
        rule: the network.
        function: the activation.
        biases, weights: the values on the axes, of the outer bias and weights.
        start: the kernel of the first layer.
        given: the other hyperparameters.

    Raises:
        InputError: axes that are empty or hold what is no variance, or a start that is not a positive number.
    """
    axes = [np.array(values, dtype=float) for values in (biases, weights)]
    if any(axis.ndim != 1 or not axis.size or not (np.isfinite(axis) & (axis >= 0)).all() for axis in axes):
        raise InputError("C_b and C_W must be lists of variances: finite numbers from 0 upwards")
    if not FOLLOWED.low < start < FOLLOWED.high:
        raise InputError(f"start must be a kernel between {FOLLOWED.low:g} and {FOLLOWED.high:g}")
    layer = LayerMap(rule, function, given)
    bias, weight = np.meshgrid(*axes, indexing="ij")
    kernel, moving = np.full(bias.shape, float(start)), np.ones(bias.shape, dtype=bool)
    for _ in range(LAYERS):
        above = layer.above(kernel[moving], bias[moving], weight[moving])
        above = np.clip(above, FOLLOWED.low, layer.high)
        change = np.abs(above / kernel[moving] - 1)
        kernel[moving] = above
        moving[moving] = change > SETTLED
        if not moving.any():
            break
    parallel, perpendicular = layer.susceptibilities(kernel, weight)
    # power laws do not settle: they end at zero, where the map to the next layer goes down all the way
    gone = (kernel <= FOLLOWED.low) | (moving & (bias == 0) & (layer.above(kernel, bias, weight) < kernel))
    limit = layer.susceptibilities(np.full(kernel.shape, FOLLOWED.low), weight)
    parallel, perpendicular = (np.where(gone, a, b) for a, b in zip(limit, (parallel, perpendicular), strict=True))
    exploded = kernel >= layer.high
    phase = np.where(perpendicular < 1 - MARGIN, "ordered", np.where(perpendicular > 1 + MARGIN, "chaotic", "critical"))
    unsettled = moving & ~gone & ~exploded
    phase = np.where(exploded, "exploding", np.where(unsettled, "unsettled", phase))
    kernel = np.where(gone, 0.0, np.where(exploded, np.inf, np.where(unsettled, np.nan, kernel)))
    parallel, perpendicular = (np.where(exploded, np.nan, own) for own in (parallel, perpendicular))
    return PhaseDiagram(axes[0], axes[1], kernel, parallel, perpendicular, phase)


class LayerMap:
    """K', chi_parallel and chi_perp over arrays: linear in the two variances, interpolated in log K.

    Args:
        rule: the network.
        function: the activation.
        given: hyperparameters that are not on the axes.

    Attributes:
        high: the largest kernel at which averages exist, or that is followed.
    """

    def __init__(self, rule: Network, function: Activation, given: Mapping[str, Any] | None) -> None:
        from scipy.interpolate import CubicSpline  # takes a while to import

        functions, self.high = named_functions(rule, function), FOLLOWED.high
        while True:
            kernels = [float(k) for k in np.geomspace(FOLLOWED.low, self.high, POINTS)]
            conditions = Conditions(rule, Doubles(functions, kernels), given)
            try:
                rows = [self._row(conditions, kernel) for kernel in kernels]
                break
            except UnsupportedError:
                self.high /= 10
                if self.high < FOLLOWED.low * 10:
                    raise
        table = np.array(rows, dtype=float)
        if not np.isfinite(table).all():
            raise UnsupportedError(f"the susceptibilities of {shortened(function.name)} are infinite")
        self.of = CubicSpline(np.log(kernels), table)

    @staticmethod
    def _row(conditions: Conditions, kernel: float) -> list[float]:
        layer, own = conditions.layer(kernel), conditions.own
        above = layer.kernel_above
        parts = [above.coefficient(), above.coefficient((own.bias, 1)), above.coefficient((own.weight, 1))]
        lines = [conditions.line(layer.own_coefficient(name)) for name in ("G{1}", "Theta")]
        scale = [1 / kernel, 1.0, 1 / kernel]  # smooth down to small kernels
        return [*(float(a * b) for a, b in zip(parts, scale, strict=True)), *lines[0], *lines[1]]

    def above(self, kernel: Array, bias: Array, weight: Array) -> Array:
        """K of the layer above."""
        rest, share, slope = np.moveaxis(self.of(np.log(kernel))[..., :3], -1, 0)
        with np.errstate(over="ignore"):  # what explodes
            return np.asarray(kernel * (rest + slope * weight) + share * bias)

    def susceptibilities(self, kernel: Array, weight: Array) -> tuple[Array, Array]:
        """chi_parallel and chi_perp."""
        a, b, c, d = np.moveaxis(self.of(np.log(kernel))[..., 3:], -1, 0)
        return np.asarray(a + b * weight), np.asarray(c + d * weight)
