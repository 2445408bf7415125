"""What pertheory computes with and what it prints are the same recursions: equal bit for bit, on states of any size."""

import numpy as np
import pytest

import pertheory as pt
from pertheory.emit.numpy.printer import print_numpy
from pertheory.kernels.lower import lower
from pertheory.run.evaluate import Evaluator
from tests.loading import load_text

HYPER = {"C_b": 0.3, "C_W": 1.7, "lambda_b": 0.4, "lambda_W": 0.9, "gamma": 0.7, "lambda_P": 0.2}


def programs():
    for network, order in (("mlp", 0), ("mlp", 1), ("residual", 1), ("projection", 1), ("deep_linear", 1)):
        for inputs in ("many", "one"):
            for kinked in (False, True):
                yield pytest.param(network, order, inputs, kinked, id=f"{network}-{order}-{inputs}-{kinked}")


@pytest.mark.parametrize(("network", "order", "inputs", "kinked"), list(programs()))
def test_the_evaluator_and_the_emitted_module_give_the_same_numbers(network, order, inputs, kinked):
    theory = pt.theory(network, ["V", "F"], order)
    program = lower(theory, inputs, kinked)
    module, evaluator = load_text("emitted", print_numpy(program)), Evaluator(program)
    source = np.random.default_rng(5)
    gram = source.normal(size=(3, 3)) if inputs == "many" else source.normal(size=3)
    p = {name: HYPER.get(name, value) for name, value in theory.network.hyperparameters}
    values = {}

    def averages(covariance, requests):
        """Any numbers will do; the same ones for the same request."""
        shapes = [(3,) * (len(request) if inputs == "many" else 1) for request in requests]
        found = zip(map(repr, requests), shapes, strict=True)
        return [values.setdefault((text, shape), source.normal(size=shape)) for text, shape in found]

    expected, state = module.first_layer(gram, p), evaluator.first_layer(gram, p)
    for _ in range(2):
        assert list(state) == list(expected)
        for key, array in expected.items():
            np.testing.assert_array_equal(state[key], array, err_msg=key)
        widths = {"n": [7.0] * len(program.levels), "n_prev": 5.0}
        expected, state = (
            module.step(expected, {**p, **widths}, averages),
            evaluator.step(state, {**p, **widths}, averages),
        )
        # a state of any numbers, so that no term is zero
        for key, array in state.items():
            np.testing.assert_array_equal(array, expected[key], err_msg=key)
            expected[key] = state[key] = source.normal(size=array.shape)


def test_what_is_left_out_is_the_default():
    program = lower(pt.theory("mlp", ["V"], 1))
    module, evaluator = load_text("emitted", print_numpy(program)), Evaluator(program)
    gram = np.eye(2)
    for key, array in module.first_layer(gram, module.HYPERPARAMETERS).items():
        np.testing.assert_array_equal(evaluator.first_layer(gram, {})[key], array)
