"""Trees as the estimators have them against JAX's own nested derivatives over all parameters of one network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pertheory.rulebook.network import any_rule
from pertheory.rulebook.tensors import find_tensor
from pertheory.simulate.derivatives import Outputs
from pertheory.simulate.forest import plan
from pertheory.simulate.network import Sampled
from pertheory.simulate.setting import make_setting

INPUTS = [[0.8, -0.5, 1.1], [-0.3, 0.9, 0.4]]
HYPER = {
    "mlp": {"C_b": 0.3, "C_W": 1.7, "lambda_b": 0.4, "lambda_W": 0.9},
    "projection": {"C_b": 0.3, "lambda_b": 0.4, "lambda_W": 0.9, "lambda_P": 0.6},
    "residual": {"C_b": 0.3, "C_b1": 0.2, "lambda_b": 0.4, "lambda_W": 0.9, "lambda_b1": 0.7, "lambda_W1": 0.8},
    "skip": {"C_b": 0.3, "lambda_b": 0.4, "lambda_W": 0.9},
}
WIDTH, LAYER = 4, 3


def plain(sampled, parameters, heads, edges, numbers, slots):
    """A tree by `jax.grad` alone: every edge contracts two derivatives over all parameters, the last weights included.

    One edge after the other: d/dtheta of all that hangs on one end, times the learning rate, along all on the other.
    """
    rates = {}
    for site in sampled.sites(LAYER):
        name = site.layer, site.sublayer, site.parameter.name
        rates[name] = sampled.rate(site.layer, site.parameter.name, site.columns)
    none = {place: jnp.zeros((1, width)) for place, width in sampled.places(LAYER).items()}
    head_rates = [{p: sampled.rate(LAYER, p, h.shape[0]) if p else 0.0 for p, h in own.items()} for own in heads]

    def z(everything, vertex):
        body, last = everything
        fields = sampled.body(body, jnp.asarray(INPUTS[slots[vertex]]), LAYER, (), none)[0][0]
        features = sampled.outputs(LAYER, "z", fields)
        return sum(last[numbers[vertex]][p] @ f for p, f in features.items())

    def hanging(vertex, above):
        """The derivatives of a vertex along all below it, as a function of the parameters."""
        function = lambda own: z(own, vertex)  # noqa: E731
        for u, v in edges:
            other = u + v - vertex
            if vertex in (u, v) and other != above:
                function = along(function, other, vertex)
        return function

    def along(function, other, vertex):
        def derivative(own):
            slope = jax.grad(hanging(other, vertex))(point)
            step = ({k: rates[k] * g for k, g in slope[0].items()}, scaled(slope[1]))
            return jax.jvp(function, (own,), (step,))[1]

        return derivative

    def scaled(slope):
        return [{p: r[p] * g for p, g in own.items()} for own, r in zip(slope, head_rates, strict=True)]

    point = (parameters, heads)
    return hanging(0, None)(point)


TREES = {
    "ddH_II(1,2;3,4) @ 13,42": [(0, 1), (0, 2), (1, 3)],
    "tree(1-2, 2-3, 3-4, 3-5, 5-6) @ 14,23,56": [(0, 1), (1, 2), (2, 3), (2, 4), (4, 5)],
}


@pytest.mark.parametrize(
    ("rule", "observable"),
    [("mlp", list(TREES)[-1]), *((rule, next(iter(TREES))) for rule in HYPER if rule != "mlp")],
)
def test_a_tree_is_what_nested_derivatives_over_all_parameters_give(rule, observable):
    """Two trees, four rules (one that is not sound), some inputs in the slots of the first tree."""
    tensor, _ = find_tensor(observable)
    edges = TREES[observable]
    setting = make_setting(any_rule(rule), INPUTS, "tanh", LAYER, WIDTH, None, HYPER[rule])
    passes = any(c.kind == "identity" for c in setting.rule.sublayers[-1].channels("z"))
    own = plan(tensor, passes)
    tree = own.groups[0].trees[0]
    numbers = {slot: number for number, pair in enumerate(tensor.slot_pairs()) for slot in pair}
    with jax.enable_x64(True):
        sampled = Sampled(setting)
        parameters = sampled.draw(jax.random.key(3), LAYER)
        outputs = Outputs(sampled, parameters, LAYER, jax.random.key(4))
        found = np.asarray(outputs.tree(tree))
        heads = [outputs.head("z", number) for number in range(own.heads)]
        random = np.random.default_rng(1)
        for _ in range(2):
            slots = tuple(int(i) for i in random.integers(0, 2, len(tree.slots)))
            by_label = dict(zip(tree.slots, slots, strict=True))
            expected = plain(sampled, parameters, heads, edges, numbers, by_label)
            assert found[slots] == pytest.approx(float(expected), rel=1e-10, abs=1e-14)
