"""How tensors flow with depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from pertheory.errors import DivergentAverageError, InputError
from pertheory.plots.figure import CURVES, INK, MARKERS, Plot, in_words, new_plot, plain, symbol
from pertheory.rulebook.tensors import AnyTensor, Tensor, any_tensor
from pertheory.rulebook.values import whole
from pertheory.run.states import Run
from pertheory.text import listed, shown

Array = npt.NDArray[np.float64]
#: Curves in one plot; more cannot be told apart.
MOST_CURVES = 24


class _Curve(NamedTuple):
    label: str
    layers: Array
    values: Array


def flow(
    runs: Run | Mapping[str, Run], *tensors: AnyTensor, slots: Sequence[int] | None = None, log: bool = False
) -> Plot:
    """Components of tensors against the layer.

    Args:
        runs: of a model, or several with a name each.
        tensors: which; by default K. T{k} is shown as it stands in the state: the coefficient of 1/n^(p - 1 + k) in a
            cumulant of 2p preactivations.
        slots: the input in each slot, from 0; by default input 0 in every slot.
        log: a logarithmic axis of values, which leaves out zeros (the first layer is Gaussian).

    Raises:
        InputError: no run, a tensor that a run does not have, slots that do not fit, values below zero
            where ``log`` is given.
        DivergentAverageError: a component has no value.

    Example:
        ``flow({"tanh": model(x, "tanh", 50), "relu": model(x, "relu", 50, C_W=2)}, "V", log=True)``
    """
    own = _several(runs)
    wanted = tensors or ("K",)
    curves = []
    for label, run in own.items():
        for name in wanted:
            words = _label(symbol(name), label, len(wanted))
            curves.append(_Curve(words, _layers(run), _component(run, name, slots)))
    where = "input 0" if slots is None else f"inputs {', '.join(str(slot) for slot in slots)}"
    what = ", ".join(symbol(name) for name in wanted) if len(wanted) < 4 else "tensors"
    with new_plot(f"{listed(map(in_words, wanted))} by layer at {where}") as (plot, (axes,)):
        _draw(axes, curves, log)
        axes.set(xlabel="layer $\\ell$", ylabel=f"{what} at {where}")
    return plot


def ratio(
    runs: Run | Mapping[str, Run],
    width: int,
    *tensors: AnyTensor,
    at: int = 0,
    slopes: Mapping[str, float] | None = None,
) -> Plot:
    r"""Tensors over their natural units against depth over width, on one input.

    A forest of v preactivations with e contracted pairs of derivatives has the unit K^(v/2 - e) Theta^e, and T{k} of a
    tensor with p pairs comes with n^-(p - 1 + k): shown is V/(n K^2), A/(n Theta^2), G{1}/(n K) and so on. At
    criticality they grow as l/n at most; where one is not small against one, the expansion in 1/n has ended.

    Args:
        runs: of a model with equal widths, or several with a name each.
        width: n, of all hidden layers.
        tensors: which; by default V.
        at: the input that stands in every slot.
        slopes: straight lines through zero to compare with, by label: ``{"2/3": 2/3}``.

    Raises:
        InputError: as in `flow`; a width that is no positive whole number; K or Theta is not positive.
        DivergentAverageError: a component has no value.
    """
    n = whole(width, "width", 1)
    own = _several(runs)
    wanted = tensors or ("V",)
    curves = []
    for label, run in own.items():
        layers = _layers(run)
        for name in wanted:
            words = _label(_over_unit(name), label, len(wanted))
            curves.append(_Curve(words, layers / n, _in_units(run, name, at, n)))
    what = ", ".join(_over_unit(name) for name in wanted) if len(wanted) < 4 else "tensors over their units"
    with new_plot(f"{listed(map(in_words, wanted))} over their units by depth over width, n = {n}") as (plot, (axes,)):
        _draw(axes, curves, False)
        end = max(curve.layers[-1] for curve in curves)
        for number, (label, slope) in enumerate((slopes or {}).items()):
            style = ("--", ":", "-.")[number % 3]
            axes.plot([0, end], [0, _slope(slope) * end], style, color=INK, linewidth=1, label=f"slope {plain(label)}")
        axes.legend()
        axes.set(xlabel=f"$\\ell/n$, $n = {n}$", ylabel=what)
    return plot


def _several(runs: Run | Mapping[str, Run]) -> dict[str, Run]:
    own = {"": runs} if isinstance(runs, Run) else runs
    if not isinstance(own, Mapping) or not own or not all(isinstance(run, Run) for run in own.values()):
        raise InputError(f"a flow is drawn of a run of a model, or of several as {{'tanh': run}}, not {shown(runs)}")
    named = {plain(label): run for label, run in own.items()}
    if len(named) < len(own):
        raise InputError("names of runs: two of them look alike in a plot; give shorter ones that differ")
    return named


def _label(formula: str, run: str, tensors: int) -> str:
    """What a curve is called: by its run where there is one tensor, by both where there are several."""
    return (run if tensors == 1 else f"{formula}, {run}") if run else formula


def _slope(value: object) -> float:
    if isinstance(value, Real) and np.isfinite(float(value)):
        return float(value)
    raise InputError(f"slopes: a slope is a finite number, not {shown(value)}")


def _layers(run: Run) -> Array:
    return np.array([state.layer for state in run], dtype=np.float64)


def _component(run: Run, name: AnyTensor, slots: Sequence[int] | None) -> Array:
    """A component by layer."""
    arrays = [state[name] for state in run]  # type: ignore[index]
    size = any_tensor(name)[0].kind.size
    place = (0,) * size if slots is None else tuple(whole(s, "slots", 0, arrays[0].shape[0] - 1) for s in slots)
    if len(place) != size:
        raise InputError(f"slots: {name} has {size} slots, not {len(place)}")
    if arrays[0].ndim != size and len(set(place)) > 1:
        raise InputError(
            f"slots: the run is on single inputs; give the same one for every slot, not {shown(list(place))}"
        )
    values = np.array([array[place if array.ndim == size else place[:1]] for array in arrays])
    undefined = [str(state.layer) for state, value in zip(run, values, strict=True) if np.isnan(value)]
    if undefined:
        why = "; ".join(run.divergences) or "no finite value"
        raise DivergentAverageError(f"{name} is NaN at layers {listed(undefined)}: {why}")
    return values


def _unit(tensor: Tensor) -> tuple[int, int]:
    """The powers of K and Theta of the natural unit."""
    edges = len(tensor.kind.edges)
    return tensor.kind.size // 2 - edges, edges


def _in_units(run: Run, name: AnyTensor, at: int, width: int) -> Array:
    tensor, order = any_tensor(name)
    in_kernel, in_ntk = _unit(tensor)
    values = _component(run, name, [at] * tensor.kind.size)
    for leading, power in (("K", in_kernel), ("Theta", in_ntk)):
        if power:
            unit = _component(run, leading, [at, at])
            if not (unit > 0).all():
                raise InputError(f"{leading} of input {at} is not positive at every layer; it cannot be a unit")
            values = values / unit**power
    return values / float(width) ** (tensor.pairs - 1 + (order or 0))


def _over_unit(name: AnyTensor) -> str:
    """The ratio as a formula."""
    tensor, order = any_tensor(name)
    factors = [("n", tensor.pairs - 1 + (order or 0)), *zip(("K", r"\Theta"), _unit(tensor), strict=True)]
    above = "".join(f"\\,{_power(base, -power)}" for base, power in factors if power < 0)
    below = "\\,".join(_power(base, power) for base, power in factors if power > 0)
    own = symbol(name)
    return f"{own}{f'${above}$' if above else ''}{f'$/({below})$' if below else ''}".replace("$$", "")


def _power(base: str, power: int) -> str:
    return base if power == 1 else f"{base}^{{{power}}}"


def _draw(axes: Axes, curves: Iterable[_Curve], log: bool) -> None:
    own = list(curves)
    if len(own) > MOST_CURVES:
        raise InputError(f"{len(own)} curves in one plot; at most {MOST_CURVES} can be told apart")
    for number, curve in enumerate(own):
        if log and not (curve.values >= 0).all():
            raise InputError(f"{curve.label.replace('$', '')} is negative at some layer; leave log out")
        mark = MARKERS[(number // len(CURVES) + number) % len(MARKERS)] if len(curve.layers) <= 40 else ""
        dashes = ("-", "--", ":", "-.")[number // len(CURVES)]
        values = np.where(curve.values == 0, np.nan, curve.values) if log else curve.values
        colour = CURVES[number % len(CURVES)]
        axes.plot(curve.layers, values, dashes, marker=mark, color=colour, label=curve.label)
    if log:
        axes.set_yscale("log")
    if len(own) > 1:
        axes.legend()
