"""Emitted code leaves alone what it is given, and does not depend on the process that wrote it."""

import copy

import numpy as np
import pytest

import pertheory as pt
from pertheory.averages.gaussian import GaussianAverages
from pertheory.emit.numpy.printer import print_numpy
from tests.loading import load_text
from tests.processes import same_everywhere


@pytest.mark.parametrize(
    ("network", "order", "inputs"),
    [("mlp", 2, "many"), ("mlp", 2, "one"), ("residual", 1, "many"), ("residual", 2, "one")],
)
def test_a_step_changes_neither_its_state_nor_the_averages(network, order, inputs):
    """np.einsum returns views: an in-place sum that starts with one would spoil an array that others read.

    All tensors of second order on many inputs take ten seconds to derive and write; every shape of a sum is in them.
    """
    module = load_text("emitted", print_numpy(pt.theory(network, "all", order).program(inputs)))
    gram = np.array([[1.0, 0.3], [0.3, 0.7]])
    averages = GaussianAverages({"s": pt.activation("tanh")})
    handed_out = []

    def watched(covariance, requests):
        arrays = averages(np.diag(covariance) if covariance.ndim == 1 else covariance, requests)
        handed_out.append((arrays, copy.deepcopy(arrays)))
        return arrays

    states = module.run(gram, 3, watched)
    before = copy.deepcopy(states[1])
    module.step(states[1], {}, watched)
    for key, array in states[1].items():
        np.testing.assert_array_equal(array, before[key])
    for now, then in handed_out:
        for array, kept in zip(now, then, strict=True):
            np.testing.assert_array_equal(array, kept)


def test_the_text_is_the_same_in_every_process():
    program = "import sys, pertheory; sys.stdout.write(*pertheory.theory('residual').texts('numpy').values())"
    assert same_everywhere(program) == pt.theory("residual").texts("numpy")["residual_order1.py"]


def test_a_hostile_title_stays_inside_the_docstring():
    from dataclasses import replace

    rule = replace(pt.network("mlp"), title='"""\nraise SystemExit\n"""')
    module = load_text("emitted_title", *pt.theory(rule, "G", 0).texts("numpy").values())
    assert "raise SystemExit" in module.__doc__
