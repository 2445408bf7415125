"""Kernels as heat maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from pertheory.errors import DivergentAverageError, InputError
from pertheory.plots.figure import Plot, in_words, new_plot, symbol
from pertheory.rulebook.tensors import AnyTensor, any_tensor
from pertheory.run.states import LayerState, Run
from pertheory.text import shown

Array = npt.NDArray[np.float64]
#: Inputs up to which every cell says its number, and up to which cells are drawn one by one.
MOST_NUMBERS, MOST_CELLS = 10, 60
#: Heat maps beside each other.
MOST_MAPS = 6


def kernel(states: LayerState | Run | Sequence[LayerState], tensor: AnyTensor = "K", pattern: str = "") -> Plot:
    """A tensor over two inputs a and b: a heat map a layer.

    Args:
        states: a layer, a run (its last layer), or some layers, each with a colour scale of its own.
        tensor: which, by default K.
        pattern: the input in each slot, such as "aabb" for V(a,a,b,b); by default "ab" for two slots, and for more the
            first half a, the second b.

    Raises:
        InputError: no layer or more than six, a tensor that the state does not have, a pattern that does not fit, a run
            on single inputs.
        DivergentAverageError: nothing in it is finite.
    """
    layers = (
        [states[len(states)]] if isinstance(states, Run) else [states] if isinstance(states, LayerState) else states
    )
    if not 0 < len(layers) <= MOST_MAPS or not all(isinstance(layer, LayerState) for layer in layers):
        raise InputError(f"a kernel is drawn of a layer of a run, or of up to {MOST_MAPS}, not of {shown(states)}")
    size = any_tensor(tensor)[0].kind.size
    letters = pattern or "a" * (size - size // 2) + "b" * (size // 2)
    if len(letters) != size or set(letters) != {"a", "b"}:
        raise InputError(f"pattern: {tensor} has {size} slots; give {size} letters a and b, not {shown(pattern)}")
    name = f"{symbol(tensor)}({','.join(letters)})"
    about = f"{in_words(tensor)}({','.join(letters)}) over the inputs a and b"
    with new_plot(about, 4.2 * len(layers), 3.6, len(layers)) as (plot, maps):
        for axes, state in zip(maps, layers, strict=True):
            array = state[tensor]  # type: ignore[index]
            if array.ndim != size:
                raise InputError("a run on single inputs has no kernel; compile with inputs='many'")
            values = np.einsum(f"{letters}->ab", array)
            if not np.isfinite(values).any():
                raise DivergentAverageError(f"{tensor}({','.join(letters)}) has no finite value at layer {state.layer}")
            mesh = _heat(axes, values)
            axes.set(title=f"{name}, layer {state.layer}", xlabel="input b", ylabel="input a")
            plot.colorbar(mesh, ax=axes)
    return plot


def _heat(axes: Axes, values: Array) -> QuadMesh:
    """Cells of one colour each; two colours that part at zero where values have both signs."""
    finite = values[np.isfinite(values)]
    signs = finite.min() < 0 < finite.max()
    limit = float(np.abs(finite).max())
    low, high = (-limit, limit) if signs else (float(finite.min()), float(finite.max()))
    count = len(values)
    mesh = axes.pcolormesh(
        np.arange(count + 1) - 0.5,
        np.arange(count + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap="RdBu_r" if signs else "viridis",
        vmin=low,
        vmax=high if high > low else low + (abs(low) or 1.0),
        rasterized=count > MOST_CELLS,
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    if count <= MOST_NUMBERS:
        axes.set_xticks(range(count))
        axes.set_yticks(range(count))
        for a, b in np.ndindex(values.shape):
            red, green, blue, _ = mesh.to_rgba(values[a, b])
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            text = f"{values[a, b]:.2g}" if np.isfinite(values[a, b]) else "NaN"
            colour = ("#fdfdfd" if dark else "#111111") if np.isfinite(values[a, b]) else "#85807a"
            axes.text(b, a, text, ha="center", va="center", fontsize=7, color=colour)
    return mesh
