"""The one way through the house, as code that runs.

rule        read_network   rules/networks/*.toml       -> Network
tensor      find_tensor    a name or an observable     -> Tensor (forest + pairing)
diagrams    derive         six moves, one file each    -> Recursion
theory      theory         every tensor that appears   -> Theory (closed)
kernels     lower          typed, no symbols           -> Program
text        print_numpy    one printer a target        -> source code (print_c: with averages, as a folder)
numbers     Model          inputs, activation          -> states, layer by layer
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from pertheory import __version__
from pertheory.averages.planning import plan_averages
from pertheory.closure import Theory, theory
from pertheory.emit.c.averages import print_averages
from pertheory.emit.c.folder import print_folder
from pertheory.emit.c.printer import Source, print_c, program_name
from pertheory.emit.numpy.printer import print_numpy
from pertheory.errors import InputError
from pertheory.files import write_text
from pertheory.kernels.language import Program
from pertheory.kernels.lower import lower
from pertheory.recursion import Recursion, derive
from pertheory.rulebook.activation import Activation
from pertheory.rulebook.activation import activation as read_activation
from pertheory.rulebook.names import shown

TARGETS = ("numpy", "c")


def recursion_of(network: str, tensor: str, order: int = 0) -> Recursion:
    """From names to a recursion: rule, tensor, diagrams."""
    return derive(network, tensor, order=order)


def program_of(network: str, tensors: str = "all", order: int = 1, inputs: str = "many") -> Program:
    """From names to a program of kernels: closure and lowering."""
    return lower(theory(network, tensors, order), inputs)


def text_of(program: Program, target: str = "numpy") -> str:
    """From a program to source text; the C text has no averages of its own, see `c_source`."""
    if target not in TARGETS:
        raise InputError(f"unknown target {target!r}; known: {', '.join(TARGETS)}")
    return print_numpy(program) if target == "numpy" else print_c(program).source


def c_source(
    theory: Theory, inputs: str, functions: Mapping[str, Activation], built_in: bool = True
) -> tuple[Program, Source]:
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
    name = program_name(program)
    plan = plan_averages(program, functions)
    said = ", ".join(f"{key} = {function.name}" for key, function in sorted(functions.items()))
    return program, print_c(program, print_averages(plan, name), said, plan.has_undefined)


def header_text() -> str:
    """The header that all emitted theories share."""
    return (files("pertheory.emit.c") / "pertheory.h").read_text(encoding="utf-8")


def emit_theory(
    theory: Theory, target: str, folder: Path, inputs: str = "many", activation: str = "tanh"
) -> list[Path]:
    """From a theory to source code: one file for NumPy, a folder that stands alone for C.

    In NumPy the averages are a callable that the user hands in; the text depends on the activation only through whether
    it has kinks, since a kinked function is combined input by input before it is averaged. The C has the averages of
    the activation built in.
    """
    if target not in TARGETS:
        raise InputError(f"unknown target {target!r}; known: {', '.join(TARGETS)}")
    function = read_activation(activation)
    if target == "numpy":
        text = print_numpy(lower(theory, inputs, kinked=not function.is_smooth))
        texts = {f"{theory.network.name}_order{theory.order}.py": text}
    else:
        from pertheory.numeric.model import choose_functions
        from pertheory.numeric.witness import reference_values

        functions = choose_functions(theory, function, {})
        program, source = c_source(theory, inputs, functions)
        values = reference_values(theory, program, functions)
        said = ", ".join(f"{key} = {own.name}" for key, own in sorted(functions.items()))
        texts = print_folder(program, source, header_text(), values, said, __version__)
    paths = {name: _inside(folder, name) for name in texts}
    folder.mkdir(parents=True, exist_ok=True)
    return [write_text(paths[name], text) for name, text in texts.items()]


def _inside(folder: Path, name: str) -> Path:
    """A file in the folder itself: names are made of the network's, and nothing is written anywhere else."""
    if name in ("", ".", "..") or Path(name).name != name:
        raise InputError(f"{shown(name)} is not the name of a file in {folder}")
    return folder / name
