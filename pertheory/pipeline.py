"""The one way through the house, as code that runs.

rule        read_network   rules/networks/*.toml       -> Network
tensor      find_tensor    a name or an observable     -> Tensor (forest + pairing)
diagrams    derive         six moves, one file each    -> Recursion
theory      theory         every tensor that appears   -> Theory (closed)
kernels     lower          typed, no symbols           -> Program
text        print_numpy    one printer a target        -> source code
numbers     Model          inputs, activation          -> states, layer by layer
"""

from __future__ import annotations

import os
from pathlib import Path

from pertheory.closure import Theory, theory
from pertheory.emit.numpy.printer import print_numpy
from pertheory.errors import InputError
from pertheory.kernels.language import Program
from pertheory.kernels.lower import lower
from pertheory.recursion import Recursion, derive
from pertheory.rulebook.activation import activation as read_activation

PRINTERS = {"numpy": (print_numpy, "py")}


def recursion_of(network: str, tensor: str, order: int = 0) -> Recursion:
    """From names to a recursion: rule, tensor, diagrams."""
    return derive(network, tensor, order=order)


def program_of(network: str, tensors: str = "all", order: int = 1, inputs: str = "many") -> Program:
    """From names to a program of kernels: closure and lowering."""
    return lower(theory(network, tensors, order), inputs)


def text_of(program: Program, target: str = "numpy") -> str:
    """From a program to source text."""
    if target not in PRINTERS:
        raise InputError(f"unknown target {target!r}; known: {', '.join(sorted(PRINTERS))}")
    printer, _ = PRINTERS[target]
    return printer(program)


def emit_theory(
    theory: Theory, target: str, folder: Path, inputs: str = "many", activation: str = "tanh"
) -> list[Path]:
    """From a theory to a file of source code.

    The averages are a callable that the user hands in; the text depends on the activation only through whether it has
    kinks, since a kinked function is combined input by input before it is averaged.
    """
    text = text_of(lower(theory, inputs, kinked=not read_activation(activation).is_smooth), target)
    suffix = PRINTERS[target][1]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{theory.network.name}_order{theory.order}.{suffix}"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)  # whoever reads the file never sees half of it
    return [path]
