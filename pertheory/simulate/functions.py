"""Activations in JAX: their formulas evaluated with its functions, so that it can differentiate them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pertheory.functions.activation import Activation, Piece
from pertheory.functions.formula import Name, Node, Scalar, constant, depends_on_x, evaluated
from pertheory.simulate.jaxed import jax, jnp


def in_jax(activation: Activation) -> Callable[[Any], Any]:
    """The function of an activation, elementwise; at a kink the left piece holds, and no derivative has deltas."""
    values = dict(activation.parameters)

    def apply(x: Any) -> Any:
        result = jnp.zeros_like(x)
        for piece in activation.pieces:
            # a formula is evaluated where it holds: elsewhere it may be infinite, and 0 times infinity is no number
            inside = (x > piece.lower) & (x <= piece.upper)
            own = _formula(piece.node, jnp.where(inside, x, _between(piece)), values)
            result = jnp.where(inside, own, result)
        return result

    return (lambda x: _formula(activation.pieces[0].node, x, values)) if activation.is_smooth else apply


def _between(piece: Piece) -> float:
    """A place where a formula holds."""
    if math.isinf(piece.lower):
        return piece.upper - 1.0
    return piece.lower + 1.0 if math.isinf(piece.upper) else (piece.lower + piece.upper) / 2


def _formula(node: Node, x: Any, parameters: Mapping[str, Scalar]) -> Any:
    def given(part: Node) -> Any:
        if isinstance(part, Name) and depends_on_x(part):
            return x
        if depends_on_x(part):
            return None
        value = constant(part, parameters)
        return int(value) if value == int(value) else float(value)

    def applied(function: str, operands: list[Any]) -> Any:
        if function == "erf":
            return jax.scipy.special.erf(*operands)
        return getattr(jnp, function)(*operands)  # kinked ones have been cut into pieces

    return evaluated(node, given, applied) * jnp.ones_like(x)
