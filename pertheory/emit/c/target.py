"""C as a target: a theory, with the averages of its activations, as a folder that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from pertheory import __version__
from pertheory.averages.planning import plan_averages
from pertheory.closure import Closure
from pertheory.emit.c.averages import print_averages
from pertheory.emit.c.folder import print_folder
from pertheory.emit.c.printer import Source, print_c, program_name
from pertheory.functions.activation import Activation
from pertheory.kernels.language import Program
from pertheory.kernels.lower import lower
from pertheory.witness import reference_values

Functions = Mapping[str, Activation]


def texts(theory: Closure, inputs: str, functions: Functions) -> dict[str, str]:
    """All files of the folder.

    Args:
        theory: the closed recursions.
        inputs: "many" or "one".
        functions: the activation of each function of the network.

    Raises:
        UnsupportedError: there is no routine for the averages of these activations.
    """
    program, source = c_source(theory, inputs, functions)
    values = reference_values(theory, program, functions)
    return print_folder(program, source, header_text(), values, _names(functions), __version__)


def c_source(theory: Closure, inputs: str, functions: Functions, built_in: bool = True) -> tuple[Program, Source]:
    """From a theory and its activations to C.

    Args:
        theory: the closed recursions.
        inputs: "many" or "one".
        functions: the activation of each function of the network.
        built_in: whether the Gaussian averages of these activations are part of it; else they must be called back.

    Raises:
        UnsupportedError: there is no routine for the averages of these activations.
    """
    smooth = all(function.is_smooth for function in functions.values())
    program = lower(theory, inputs, kinked=not smooth)
    if not built_in or not any(level.averages for level in program.levels):
        return program, print_c(program)
    plan = plan_averages(program, functions)
    text = print_averages(plan, program_name(program))
    return program, print_c(program, text, _names(functions), plan.has_undefined)


def header_text() -> str:
    """The header that all emitted theories share."""
    return (files("pertheory.emit.c") / "pertheory.h").read_text(encoding="utf-8")


def _names(functions: Functions) -> str:
    """The activations for people."""
    return ", ".join(f"{key} = {function.name}" for key, function in sorted(functions.items()))
