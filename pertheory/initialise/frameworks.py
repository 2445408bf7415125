"""What programs call activations, and the gains that they have themselves: read from rules/frameworks.toml."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from pertheory.functions.activation import Activation, activation
from pertheory.functions.formula import constant
from pertheory.functions.parsing import parse
from pertheory.rulebook.files import read_toml, rules_folder
from pertheory.solve.criticality import Criticality

#: names of activations with parameters that are trained: no function
LEARNED = {"PReLU"}
#: the program that has gains of its own, and how people call it
WITH_GAINS, NAME = "torch", "PyTorch"


class Framework(NamedTuple):
    """A program.

    Attributes:
        entry: the name of its table in rules/frameworks.toml.
        call: how a function of that table is written in code, with ``{}`` for its name.
    """

    entry: str
    call: str


FRAMEWORKS = {
    "torch": Framework("PyTorch, modules", "nn.{}()"),
    "jax": Framework("JAX", "jax.nn.{}"),
    "flax": Framework("Flax", "nn.{}"),
    "keras": Framework("Keras 3, activations", "keras.activations.{}"),
}


@lru_cache(maxsize=8)
def _table(framework: str) -> dict[str, Any]:
    entries = read_toml(rules_folder() / "frameworks.toml")["frameworks"]
    (found,) = (entry for entry in entries if entry["name"] == FRAMEWORKS[framework].entry)
    return dict(found)


def names(framework: str) -> Iterator[tuple[str, Activation]]:
    """The activations of a program: their names there, and what they are."""
    table = _table(framework)
    for name in sorted((*table.get("same", ()), *table.get("differs", ())), key=str.lower):
        yield name, activation(f"{table['prefixes'][0]}.{name}")


def refused(framework: str) -> dict[str, str]:
    """Names whose function is none, with what to write instead."""
    return dict(_table(framework).get("refused", {}))


def code(framework: str, function: Activation) -> str | None:
    """The expression for an activation in code, out of our own table; None where the program has no name for it."""
    calls = _table(framework).get("calls", {})
    if function.name in calls and function == activation(function.name):
        return str(calls[function.name])
    for name, own in names(framework):
        if own == function and name not in LEARNED:
            return FRAMEWORKS[framework].call.format(name)
    return None


def own_gain(framework: str, function: Activation) -> float | None:
    """The gain that a program has for an activation itself, None where it has none."""
    for name, formula in _table(framework).get("gains", {}).items():
        own = activation(f"{_table(framework)['prefixes'][0]}.{name}")
        if own.name == function.name:
            values = dict(function.parameters)
            if name == "SELU" and own != function:
                continue
            return float(constant(parse(formula, values), values))
    return None


def compared(found: Criticality, gain: float | None, own: float | None) -> str:
    """Why a program's gain is another one: what it does, without biases and to signals of mean square one."""
    if own is None:
        return f"{NAME} has none" + ("" if gain else "; not critical")
    if gain is not None and math.isclose(own, gain, rel_tol=1e-6):
        return "the same"
    diagram = found.phase_diagram([0.0], [own**2])
    kernel, gradient = float(diagram.kernel[0, 0]), float(diagram.chi_perp[0, 0])
    signals = "vanish" if kernel == 0 else "explode" if math.isinf(kernel) else f"settle at K = {kernel:.3g}"
    size = math.sqrt(gradient)
    grow = f"gradients {'grow' if size > 1 else 'shrink'} by {size:.4g} a layer" if math.isfinite(size) else ""
    told = f"with it signals {signals}" + (f", {grow}" if grow else "")
    return told + ("" if gain else "; not critical")
