"""Factoring changes neither values nor symmetries, and saves work."""

import numpy as np
import pytest

from pertheory.emit.numpy.printer import print_numpy
from pertheory.kernels.factor import TYPICAL_INPUTS
from pertheory.kernels.language import Sum, axes_of
from tests.emit.harness import Given, program
from tests.loading import load_text


@pytest.mark.parametrize(
    ("network", "order", "mode", "kinked"),
    [("mlp", 1, "many", False), ("mlp", 2, "one", False), ("residual", 1, "many", False), ("mlp", 1, "many", True)],
)
def test_the_value_is_that_of_the_plain_sum(network, order, mode, kinked):
    plain = program(network, "all", order, mode, kinked, factored=False)
    factored = program(network, "all", order, mode, kinked)
    first, second = load_text("plain", print_numpy(plain)), load_text("factored", print_numpy(factored))
    for number, level in enumerate(plain.levels):
        given = Given(plain, number, 3, seed=1)
        shared = dict(given.averages)
        for name, temporary in second.TEMPORARIES[number].items():
            shared[name] = temporary(given.state, given.p, shared)
        for kernel in level.kernels:
            expected = first.RECURSIONS[number][kernel.key](given.state, given.p, given.averages)
            found = second.RECURSIONS[number][kernel.key](given.state, given.p, shared)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max(), err_msg=kernel.key)


def cost(products):
    """Multiplications of a plain sum, each product evaluated for the samples on which it depends."""
    return sum(len(product.operands) * TYPICAL_INPUTS ** len(axes_of([product])) for product in products)


def weight(products, axes):
    """The same of a sum with brackets."""
    total = cost(products)
    for product in products:
        for operand in product.operands:
            if isinstance(operand, Sum):
                total += weight(operand.products, axes_of(operand.products))
    return total


def test_it_saves_more_than_half_of_the_multiplications():
    plain, factored = (program("mlp", "all", 1, "many", False, factored=f) for f in (False, True))
    before = sum(cost(k.cases[0].products) for k in plain.levels[0].kernels)
    after = sum(weight(k.cases[0].products, range(k.rank)) for k in factored.levels[0].kernels)
    after += sum(weight(t.products, range(t.rank)) for t in factored.levels[0].temporaries)
    assert after < before / 2


def test_temporaries_come_after_those_that_they_need():
    for level in program("residual", "all", 1, "many", False).levels:
        known = {t.name for k in level.kernels for t in k.below} | {a.name for a in level.averages}
        for temporary in level.temporaries:
            from pertheory.kernels.language import operands_of

            assert {operand.array for operand in operands_of(temporary.products)} <= known
            known.add(temporary.name)
