"""Numbers for self-tests of emitted code, found without that code: no kernels, no printers, no quadrature of ours.

Two ways. With a polynomial as activation all Gaussian averages are finite sums over pairings, and a step from random
rational tensors is exact in rational arithmetic. With the activation itself, averages over one or two inputs are
integrated with 25 digits, derivatives by Taylor arithmetic, and all layers are run in that precision.

`exact`  the step
`runs`   the runs
`terms`  a recursion's terms at a point
"""

from __future__ import annotations

from collections.abc import Mapping

import mpmath

from pertheory.closure import Closure
from pertheory.errors import UnsupportedError
from pertheory.functions.activation import Activation
from pertheory.kernels.language import Program
from pertheory.witness.rational_step import exact_step
from pertheory.witness.records import SelfTest
from pertheory.witness.reference_runs import jumps, pair_run, single_run

DIGITS = 25


def reference_values(theory: Closure, program: Program, functions: Mapping[str, Activation]) -> SelfTest:
    """What a self-test of a program compares with.

    Args:
        theory: from which the program was lowered.
        program: for the order of tensors, requests and hyperparameters.
        functions: the activation of each function of the network.

    Raises:
        UnsupportedError: a function grows so fast that its averages do not exist.
    """
    with mpmath.workdps(DIGITS):
        try:
            runs = [single_run(theory, program, functions)]
            if program.inputs == "many" and not jumps(functions):
                runs.append(pair_run(theory, program, functions))
        except OverflowError:  # numbers of mpmath have no largest one, but a limit of digits
            names = ", ".join(function.name[:60] for function in functions.values())
            raise UnsupportedError(f"{names}: grows so fast that its Gaussian averages do not exist") from None
        return SelfTest(exact_step(theory, program), tuple(runs))
