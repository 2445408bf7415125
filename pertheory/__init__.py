"""pertheory: derives the finite-width recursions of deep networks by machine, and computes them.

    import pertheory as pt

    mlp = pt.network("mlp")
    V = pt.derive(mlp, "V")                    # a recursion, as diagrams
    theory = pt.theory(mlp, order=1)           # the closed system to order 1/n
    state = theory.compile()(inputs, activation="tanh", depth=5)
    state[5]["V"]

Importing this package loads nothing heavy; the parts are loaded when they are used.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "network": "pertheory.rulebook.network",
    "Network": "pertheory.rulebook.network",
    "activation": "pertheory.functions.activation",
    "Activation": "pertheory.functions.activation",
    "Formula": "pertheory.symbols.formula",
    "asymptotics": "pertheory.solve.asymptotics",
    "exponents": "pertheory.solve.exponents",
    "scaling": "pertheory.solve.scaling",
    "average": "pertheory.symbols.averages",
    "critical": "pertheory.solve.classify",
    "Observable": "pertheory.rulebook.observable",
    "describe": "pertheory.describe",
    "name": "pertheory.rulebook.tensors",
    "Conditioned": "pertheory.infer.conditioning",
    "Posterior": "pertheory.infer.record",
    "aspect": "pertheory.infer.aspect",
    "posterior": "pertheory.infer.posterior",
    "z": "pertheory.rulebook.trees",
    "H": "pertheory.rulebook.trees",
    "dH": "pertheory.rulebook.trees",
    "ddH_I": "pertheory.rulebook.trees",
    "ddH_II": "pertheory.rulebook.trees",
    "tree": "pertheory.rulebook.trees",
    "derive": "pertheory.recursion",
    "Recursion": "pertheory.recursion",
    "simulate": "pertheory.simulate.simulation",
    "extrapolate": "pertheory.simulate.extrapolate",
    "compare": "pertheory.simulate.compare",
    "theory": "pertheory.theory",
    "Theory": "pertheory.theory",
    "QuadraticModel": "pertheory.training.nearly_kernel",
    "trained": "pertheory.training.prediction",
    "Trained": "pertheory.training.result",
    "PertheoryError": "pertheory.errors",
    "InputError": "pertheory.errors",
    "RuleError": "pertheory.errors",
    "UnsupportedError": "pertheory.errors",
    "DivergentAverageError": "pertheory.errors",
    "MissingPackageError": "pertheory.errors",
}

__all__ = [
    "Activation",
    "Conditioned",
    "DivergentAverageError",
    "Formula",
    "H",
    "InputError",
    "MissingPackageError",
    "Network",
    "Observable",
    "PertheoryError",
    "Posterior",
    "QuadraticModel",
    "Recursion",
    "RuleError",
    "Theory",
    "Trained",
    "UnsupportedError",
    "__version__",
    "activation",
    "aspect",
    "asymptotics",
    "average",
    "compare",
    "critical",
    "dH",
    "ddH_I",
    "ddH_II",
    "derive",
    "describe",
    "exponents",
    "extrapolate",
    "name",
    "network",
    "posterior",
    "scaling",
    "simulate",
    "theory",
    "trained",
    "tree",
    "z",
]

if TYPE_CHECKING:
    from pertheory.describe import describe
    from pertheory.errors import (
        DivergentAverageError,
        InputError,
        MissingPackageError,
        PertheoryError,
        RuleError,
        UnsupportedError,
    )
    from pertheory.functions.activation import Activation, activation
    from pertheory.infer.aspect import aspect
    from pertheory.infer.conditioning import Conditioned
    from pertheory.infer.posterior import posterior
    from pertheory.infer.record import Posterior
    from pertheory.recursion import Recursion, derive
    from pertheory.rulebook.network import Network, network
    from pertheory.rulebook.observable import Observable
    from pertheory.rulebook.tensors import name
    from pertheory.rulebook.trees import H, ddH_I, ddH_II, dH, tree, z
    from pertheory.simulate.compare import compare
    from pertheory.simulate.extrapolate import extrapolate
    from pertheory.simulate.simulation import simulate
    from pertheory.solve.asymptotics import asymptotics
    from pertheory.solve.classify import critical
    from pertheory.solve.exponents import exponents
    from pertheory.solve.scaling import scaling
    from pertheory.symbols.averages import average
    from pertheory.symbols.formula import Formula
    from pertheory.theory import Theory, theory
    from pertheory.training.nearly_kernel import QuadraticModel
    from pertheory.training.prediction import trained
    from pertheory.training.result import Trained


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pertheory' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Keeps public functions apart from folders of the same name.

    The import system binds a subpackage to its name in the parent; ``pertheory.derive`` is to stay the function that
    users call, whichever part of the folder ``derive/`` has been imported before.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
