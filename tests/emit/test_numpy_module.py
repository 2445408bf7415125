"""The emitted NumPy module says what it wants: parameters by name, requests in a format that it describes."""

import numpy as np
import pytest

import pertheory as pt
from tests.loading import load_text

GRAM = np.array([[2.5, -0.75], [-0.75, 0.625]])


def module(inputs="many"):
    (text,) = pt.theory("mlp", "V", 1).texts("numpy", inputs, "x^2").values()
    return load_text(f"emitted_{inputs}", text)


def nobody(covariance, requests):
    raise AssertionError("no average is needed for what is refused")


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"C_w": 2.0}, "'C_w'"),
        ([{"C_W": 1.0}, {"c_W": 1.0}], "'c_W'"),
        ({"n": 10.0}, "'n'"),
        ({"ratio": 1.0}, "'ratio'"),
        ({"slope": 1.0}, "'slope'"),
    ],
)
@pytest.mark.parametrize("inputs", ["one", "many"])
def test_an_unknown_parameter_of_a_run_is_refused(parameters, word, inputs):
    with pytest.raises(ValueError, match=f"unknown parameter {word}; known: C_W, C_b, lambda_W, lambda_b"):
        module(inputs).run(GRAM, 2, nobody, parameters)


def test_an_unknown_parameter_of_a_step_is_refused():
    own = module()
    state = own.first_layer(GRAM, {"C_W": 2.0})
    np.testing.assert_array_equal(state["G"], 2 * GRAM)  # what is left out has its default
    with pytest.raises(ValueError, match=r"unknown parameter 'C_w'; known: .*, n, n_prev"):
        own.step(state, {"C_w": 1.0}, nobody)
    with pytest.raises(ValueError, match="unknown parameter 'C_w'"):
        own.first_layer(GRAM, {"C_w": 1.0})


def test_averages_written_from_the_description_alone():
    """x^2 on one input: (d, ((function, k), ...)) is the d-th derivative of a product of k-th derivatives."""
    own = module("one")
    assert "(d, ((function, k), ...))" in own.step.__doc__
    assert "a request has a single entry" in own.step.__doc__
    assert "array of variances" in own.step.__doc__
    powers = np.polynomial.Polynomial([0, 0, 1])

    def averages(variances, requests):
        found = []
        for ((d, functions),) in requests:
            product = np.polynomial.Polynomial([1])
            for name, k in functions:
                assert name == "s"
                product = product * powers.deriv(k)
            coefficients = product.deriv(d).coef
            wick = [0.0 if m % 2 else float(np.prod(np.arange(1, m, 2))) for m in range(len(coefficients))]
            terms = list(enumerate(coefficients * wick))
            found.append(np.array([sum(c * v ** (m / 2) for m, c in terms) for v in variances]))
        return found

    states = own.run(GRAM, 3, averages, {"C_W": 0.5, "C_b": 0.25})
    expected = pt.theory("mlp", "V", 1).compile(inputs="one")([[1.0, 2.0], [0.5, -1.0]], "x^2", 3, C_W=0.5, C_b=0.25)
    for key in ("G", "V"):
        np.testing.assert_allclose(states[2][key], expected[3][key], rtol=1e-12)


def test_the_format_for_many_inputs_is_described():
    text = module().step.__doc__
    assert '((0, (("s", 0),)), (0, (("s", 1),))) asks for <s(z_a) s\'(z_b)>' in text
