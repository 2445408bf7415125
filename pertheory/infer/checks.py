"""Whether a prior and data make sense: one line that says what does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from pertheory.errors import InputError
from pertheory.infer.contraction import Array, Slabs
from pertheory.infer.expansion import Cumulant
from pertheory.rulebook.names import shown
from pertheory.run.arguments import real_array

#: numbers of a tensor up to which its symmetries are looked at
CHECKED = 2**24
#: what rounding may leave of a negative eigenvalue, over the largest
NEGATIVE = 1e-8


def check_cumulants(cumulants: Mapping[tuple[int, int], Any], samples: int) -> dict[Cumulant, Slabs]:
    """Cumulants by their number of pairs and their order.

    Raises:
        InputError: another name; for arrays as `check_cumulant`.
    """
    for key in cumulants:
        numbers = isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, int) for part in key)
        if not numbers or Cumulant(*key).pairs < 1 or Cumulant(*key).order < 0 or Cumulant(*key).cost < 1:
            raise InputError(f"a cumulant is named by (pairs, order), as (1, 1) for G{{1}} or (2, 0), not {shown(key)}")
    return {Cumulant(*key): check_cumulant(Cumulant(*key), own, samples) for key, own in cumulants.items()}


def check_cumulant(key: Cumulant, tensor: Any, samples: int) -> Slabs:
    """An array with the symmetries of its tensor; slabs that are handed out are believed.

    Raises:
        InputError: another shape, or not symmetric.
    """
    if not isinstance(tensor, np.ndarray | list | tuple):
        return cast(Slabs, tensor)
    name, needed = f"the cumulant {tuple(key)}", (samples,) * (2 * key.pairs)
    # not copied where there is no need: it may be most of the memory
    as_it_is = type(tensor) is np.ndarray and tensor.dtype == np.float64
    array: Array = cast(Array, tensor) if as_it_is else real_array(tensor, name)
    if array.shape != needed:
        raise InputError(f"{name} must be an array of shape {needed}, not {array.shape}")
    slots = list(range(2 * key.pairs))
    exchanges = [[1, 0, *slots[2:]]]
    if key.pairs > 1:
        exchanges += [[2, 3, 0, 1, *slots[4:]], [*slots[2:], 0, 1]]
    if array.size <= CHECKED:
        check_symmetric(array, name, exchanges)
    return array


def check_symmetric(array: Array, name: str, exchanges: list[list[int]]) -> None:
    """See that numbers are finite, and the same where slots are exchanged.

    Raises:
        InputError: they are not.
    """
    if not np.all(np.isfinite(array)):
        raise InputError(f"{name} holds NaN or infinity; all entries must be finite")
    least = 1e-8 * float(np.max(np.abs(array), initial=0.0))
    if not all(np.allclose(array, array.transpose(order), atol=least) for order in exchanges):
        rest = "" if array.ndim == 2 else " in the slots of each pair, and in its pairs"
        raise InputError(f"{name} must be symmetric{rest}")


def check_positive(kernel: Array) -> None:
    """See that a kernel is that of some outputs, to rounding.

    Raises:
        InputError: it has a negative eigenvalue.
    """
    values = np.linalg.eigvalsh(kernel)
    if values[0] < -NEGATIVE * max(float(values[-1]), 0.0):
        raise InputError(f"kernel has the eigenvalue {values[0]:.3g}; covariances of outputs have none below 0")


def check_noise(noise: Any) -> float:
    """A variance that is added to the kernel of training inputs.

    Raises:
        InputError: not a finite number from 0.
    """
    value = real_array(noise, "noise")
    if value.ndim or not 0 <= value < np.inf:
        given = f"{float(value):g}" if not value.ndim else f"an array of shape {value.shape}"
        raise InputError(f"noise is a variance, a finite number from 0, not {given}")
    return float(value)
