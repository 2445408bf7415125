"""Whether what is asked of a run makes sense, before any work and at every layer."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from math import inf
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from pertheory.errors import InputError
from pertheory.rulebook.files import nearest
from pertheory.rulebook.names import line, shown
from pertheory.rulebook.network import Network
from pertheory.rulebook.values import whole

Array = npt.NDArray[np.float64]

#: Magnitudes of inputs beyond which their squares leave the range of doubles.
LARGEST_INPUT = 1e70
#: Widths beyond which ratios of widths and their powers leave the range of doubles.
LARGEST_WIDTH = 1e70
#: More layers than anyone computes; a thousand of them take seconds.
MOST_LAYERS = 100_000
#: Relative errors of results that are said, and beyond which nothing of them is left.
INEXACT, USELESS = 1e-4, 0.1


def check_inputs(inputs: npt.ArrayLike) -> Array:
    """Inputs as an array of shape (D, n_0).

    Raises:
        InputError: not a table of finite numbers.
    """
    table = real_array(inputs, "inputs")
    if table.ndim != 2 or table.size == 0:
        raise InputError(f"inputs must be one row of numbers per input, not an array of shape {table.shape}")
    if not np.all(np.isfinite(table)):
        row = int(np.argwhere(~np.isfinite(table))[0][0])
        raise InputError(f"inputs: row {row + 1} holds NaN or infinity; all entries must be finite")
    largest = np.max(np.abs(table), axis=1)
    for row, size in enumerate(largest.tolist()):
        if size > LARGEST_INPUT or 0 < size < 1 / LARGEST_INPUT:
            raise InputError(
                f"inputs: row {row + 1} has numbers up to {size:.3g}, whose squares leave the range of doubles; "
                f"keep the largest of a row between {1 / LARGEST_INPUT:g} and {LARGEST_INPUT:g}, or all at 0"
            )
    return table


def check_targets(targets: npt.ArrayLike, name: str = "targets", rows: int | None = None) -> Array:
    """Targets as an array of shape (N, n_L).

    Args:
        targets: one row an input, one column an output.
        name: for the message.
        rows: N, where it is known.

    Raises:
        InputError: not a table of finite numbers, or another number of rows.
    """
    table = real_array(targets, name)
    if table.ndim != 2 or not table.size or len(table) != (len(table) if rows is None else rows):
        raise InputError(
            f"{name} must have one row per input and one column per output, so shape ({'N' if rows is None else rows}, "
            f"n_L), not {table.shape}"
        )
    if not np.isfinite(table).all():
        row = int(np.argwhere(~np.isfinite(table))[0][0])
        raise InputError(f"{name}: row {row + 1} holds NaN or infinity; all entries must be finite")
    return table


def real_array(value: Any, what: str) -> Array:
    """Numbers as an array of doubles: nothing is read as a number that is none, and nothing of one is lost.

    Args:
        value: what was given.
        what: its name, for the message.

    Raises:
        InputError: ragged rows, text, truth values, complex numbers, masked entries.
    """
    try:
        array = np.asanyarray(value)
    except Exception as error:  # NumPy, or whatever somebody's own type does
        ragged = isinstance(error, ValueError) and "inhomogeneous" in str(error)
        why = "its rows differ in length" if ragged else f"it is no array: {type(error).__name__}: {line(str(error))}"
        raise InputError(f"{what} must be numbers in rows of the same length; {why}") from None
    kind = array.dtype.kind
    found = {"c": "complex ones", "b": "truth values", "U": "text", "S": "text"}.get(kind, line(str(array.dtype)))
    if kind == "O":
        bad = [item for item in array.flat if isinstance(item, bool) or not isinstance(item, Real | Decimal)]
        kind, found = ("O", shown(bad[0])) if bad else ("f", "")
    if np.ma.is_masked(array):
        kind, found = "O", "masked ones"
    if kind not in "fiu":
        raise InputError(f"{what} must be real numbers, not {found}")
    try:
        with np.errstate(over="ignore"):
            return np.array(array, dtype=float)
    except OverflowError:
        raise InputError(f"{what}: a number is too large for a double") from None


def check_accuracy(rtol: Any) -> float:
    """The accuracy of averages that a run is asked for.

    Raises:
        InputError: not a number between 0 and 1.
    """
    value = float(rtol) if isinstance(rtol, Real) and not isinstance(rtol, bool) else 0.0
    if not 0 < value < 1:
        raise InputError(f"rtol must be between 0 and 1, not {shown(rtol)}")
    return value


def check_hyperparameters(rule: Any, depth: int, given: Mapping[str, Any]) -> list[dict[str, float]]:
    """One dictionary of hyperparameters per layer.

    Raises:
        InputError: names that the rule does not have, lists of the wrong length, negative variances or rates.
    """
    depth = whole(depth, "depth", 1, MOST_LAYERS)
    known = dict(rule.hyperparameters)
    squares = {  # an even power, such as gamma^2, allows either sign
        symbol
        for p in rule.parameters
        for m in (p.variance, p.learning_rate)
        if m
        for symbol, power in m.powers
        if power % 2
    }
    layers = [dict(known) for _ in range(depth)]
    for name, value in given.items():
        if name not in known:
            raise InputError(f"network {rule.name} has no hyperparameter {name!r}; {nearest(name, known)}")
        values = np.atleast_1d(real_array(value, name))
        if values.ndim != 1 or len(values) not in (1, depth):
            found = str(values.size) if values.ndim == 1 else f"an array of shape {values.shape}"
            raise InputError(f"{name} needs one value or one for each of {depth} layers, not {found}")
        if not np.all(np.isfinite(values)) or (name in squares and np.any(values < 0)):
            bad = values[~np.isfinite(values) | (values < 0)][0]
            need = "finite" if not np.isfinite(bad) else "at least 0"
            raise InputError(f"{name} must be {need}, not {bad:g}")
        for layer, number in zip(layers, values.tolist() * (depth // len(values)), strict=True):
            layer[name] = number
    return layers


def check_widths(widths: Iterable[float] | None, depth: int, below: int, rule: Network) -> list[float] | None:
    """Widths n_0 .. n_(depth-1), or None for equal ones.

    Raises:
        InputError: the wrong number of widths, one that is not a whole number from 1, or unequal ones in a network
            that passes neurons on.
    """
    if widths is None:
        return None
    single = isinstance(widths, np.ndarray) and not widths.ndim
    unordered = isinstance(widths, str | Mapping | Set)
    if single or unordered or not isinstance(widths, Iterable):
        raise InputError(f"widths must be a list of hidden widths n_1 .. n_(depth-1), not {shown(widths)}")
    widths = list(widths)
    if len(widths) != depth - 1:
        named = {1: "no hidden widths", 2: "1 hidden width n_1"}
        need = named.get(depth, f"{depth - 1} hidden widths n_1 .. n_{depth - 1}")
        raise InputError(f"widths: depth {depth} needs {need}, not {len(widths)}")
    for width in widths:
        if isinstance(width, bool) or not isinstance(width, Real) or not 1 <= width < inf or width != int(width):
            raise InputError(f"widths must be whole numbers from 1, not {shown(width)}")
        if width > LARGEST_WIDTH:
            raise InputError(f"widths: one is above {LARGEST_WIDTH:g}, beyond which ratios leave the range of doubles")
    if len(set(widths)) > 1 and rule.passes_neurons:
        raise InputError(
            f"widths: network {rule.name} passes neurons on, so all hidden widths "
            f"must be equal, not {', '.join(str(width) for width in widths)}"
        )
    return [float(below), *(float(width) for width in widths)]


def check_layer_progress(progress: Any) -> Any:
    """What layers report to: a function, or None where nobody listens.

    Raises:
        InputError: something else. True is for a model that is called, which knows when it is done.
    """
    if progress is None or progress is False:
        return None
    if not callable(progress):
        hint = "; model(...) takes True, model.layers(...) does not" if progress is True else ""
        raise InputError(f"progress must be a function of layer, depth and fraction, not {shown(progress)}{hint}")
    return progress


def check_kernel(covariance: Array) -> None:
    """See that a layer can go on from the kernel of the one below.

    Raises:
        InputError: the kernel has left the range of doubles.
    """
    if not np.all(np.isfinite(covariance)):
        raise InputError("G overflows in the layers above; use smaller inputs, C_b or C_W, or fewer layers")


def check_range(layer: int, state: Mapping[str, Array], divergent: bool) -> None:
    """See that nothing has left the range of doubles.

    Args:
        layer: of the state.
        state: its tensors.
        divergent: whether an average diverges here or below: its entries are NaN, never infinite. Other NaN is the
            difference of two numbers that overflow.

    Raises:
        InputError: names the first tensor that did.
    """
    for key, array in state.items():
        if not np.isfinite(array).all() and (not divergent or np.isinf(array).any()):
            raise InputError(
                f"{key} overflows at layer {layer}; use smaller inputs, C_b, C_W or learning rates, or fewer layers"
            )


def check_digits(lost: float, text: str, stacklevel: int = 3) -> None:
    """Say that a result has lost digits by cancellation, or that nothing of it is left.

    Args:
        lost: its relative error.
        text: what is said, with ``{}`` for the error.
        stacklevel: of the warning, counted from here.

    Raises:
        InputError: nothing is left.
    """
    if lost <= INEXACT:
        return
    text = text.format(f"{lost:.1g}")
    if lost > USELESS:
        raise InputError(text)
    warnings.warn(text, stacklevel=stacklevel)
