"""The languages that a theory can be computed in: one line for each.

A target is a folder of `pertheory.emit`. Its module ``target`` has ``texts(theory, inputs, functions)``, which gives
the files by name, and the module of its model has a class that is called with inputs and an activation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from pertheory.errors import InputError

if TYPE_CHECKING:
    from pertheory.closure import Closure
    from pertheory.functions.activation import Activation

    #: A closed theory, "many" or "one", and the activation of each function, to files by name.
    Texts = Callable[[Closure, str, Mapping[str, Activation]], Mapping[str, str]]


class Target(NamedTuple):
    """Where the parts of a target are, as ``module:name``; they are loaded when they are used.

    Attributes:
        texts: the function that writes source code.
        model: the class that computes, made from a theory and "many" or "one".
    """

    texts: str
    model: str

    def writer(self) -> Texts:
        """The function that writes source code."""
        written: Texts = _load(self.texts)
        return written

    def runner(self) -> Any:
        """The class that computes."""
        return _load(self.model)


TARGETS = {
    "numpy": Target("pertheory.emit.numpy.target:texts", "pertheory.run.model:Model"),
    "c": Target("pertheory.emit.c.target:texts", "pertheory.run.cmodel:CModel"),
}


def find_target(name: str) -> Target:
    """The target of that name.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str) or name not in TARGETS:
        raise InputError(f"unknown target {name!r}; known: {', '.join(TARGETS)}")
    return TARGETS[name]


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
