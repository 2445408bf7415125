"""NumPy as a target: a theory as one module."""

from __future__ import annotations

from collections.abc import Mapping

from pertheory.closure import Closure
from pertheory.emit.numpy.printer import print_numpy
from pertheory.functions.activation import Activation
from pertheory.kernels.lower import lower


def texts(theory: Closure, inputs: str, functions: Mapping[str, Activation]) -> dict[str, str]:
    """A module to which the averages are handed in; whether functions have kinks is all it knows of them.

    Args:
        theory: the closed recursions.
        inputs: "many" or "one".
        functions: the activation of each function of the network.
    """
    kinked = any(not function.is_smooth for function in functions.values())
    return {f"{theory.network.name}_order{theory.order}.py": print_numpy(lower(theory, inputs, kinked=kinked))}
