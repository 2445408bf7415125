"""Architectures for the exact witnesses, and the engine with the same numbers."""

from fractions import Fraction as Q
from typing import NamedTuple

import pertheory as pt
from tests.truth.exact_networks import Architecture, Bias, ExactNetwork, Identity, Weight
from tests.truth.network_engine import ExactNetworkEngine

LINEAR = (Q(0), Q(1))
QUADRATIC = (Q(1, 3), Q(2, 5), Q(-1, 2))
OTHER_QUADRATIC = (Q(-1, 4), Q(1), Q(1, 3))
CUBIC = (Q(1, 7), Q(1, 2), Q(1, 3), Q(1, 5))

INPUTS = ((Q(1), Q(1, 2)), (Q(-1, 3), Q(2)))
FIRST = (Q(1, 3), Q(1, 4), Q(3, 2), Q(5, 6))  # variance and rate of the bias, of the weight


def first_layer(inputs=INPUTS, first=FIRST):
    """Covariance and tangent kernel of z = b + W x."""
    gram = [[sum(a * b for a, b in zip(x, y, strict=True)) / len(x) for y in inputs] for x in inputs]
    constants = ((first[0], first[2]), (first[1], first[3]))
    return [{"z": tuple(tuple(c + d * g for g in row) for row in gram)} for c, d in constants]


class Case(NamedTuple):
    """One network for both sides."""

    architecture: Architecture
    rule: object
    functions: tuple
    couplings: tuple
    below: tuple[int, ...]  # for each step the width symbol that is summed over

    def witness(self) -> ExactNetwork:
        return ExactNetwork(self.architecture)

    def engine(self, ratios) -> ExactNetworkEngine:
        covariance, tangent = self.architecture.covariance, self.architecture.tangent
        widths = [ratios[symbol] for symbol in self.below]
        return ExactNetworkEngine(self.rule, covariance, tangent, self.functions, self.couplings, widths)


def _layer(number: int, **couplings: Q) -> dict[str, Q]:
    """Couplings that differ from layer to layer."""
    return {name: value * Q(5 + number, 6) if name != "gamma" else value for name, value in couplings.items()}


def residual(functions, inputs=INPUTS) -> Case:
    """u = b1 + W1 z, z' = gamma z + b2 + W2 s(u); width 0 is that of z, width 1 + k that of u in block k."""
    couplings, steps, widths = [], [], []
    for k, function in enumerate(functions):
        c = _layer(
            k,
            gamma=Q(2, 3),
            C_b=Q(1, 2),
            C_W=Q(2, 3),
            lambda_b=Q(1, 5),
            lambda_W=Q(7, 6),
            C_b1=Q(1, 4),
            C_W1=Q(3, 5),
            lambda_b1=Q(2, 7),
            lambda_W1=Q(5, 4),
        )
        steps += [
            {
                "z": (Identity("z"),),
                "u": (Bias(c["C_b1"], c["lambda_b1"]), Weight(LINEAR, "z", c["C_W1"], c["lambda_W1"])),
            },
            {
                "z": (
                    Identity("z", c["gamma"]),
                    Bias(c["C_b"], c["lambda_b"]),
                    Weight(function, "u", c["C_W"], c["lambda_W"]),
                )
            },
        ]
        widths += [{"z": 0}, {"z": 0, "u": 1 + k}]
        couplings += [c, c]
    architecture = Architecture(*first_layer(inputs), tuple(steps), tuple(widths), 1 + len(functions))
    named = tuple({"s": function} for function in functions for _ in range(2))
    below = tuple(symbol for k in range(len(functions)) for symbol in (0, 1 + k))
    return Case(architecture, pt.network("residual"), named, tuple(couplings), below)


def projection(functions, inputs=INPUTS) -> Case:
    """z' = b + W s(z) + gamma P z, the projection trained too; width k is that below step k."""
    couplings, steps = [], []
    for k, function in enumerate(functions):
        c = _layer(k, gamma=Q(2, 3), C_b=Q(1, 2), C_W=Q(2, 3), lambda_b=Q(1, 5), lambda_W=Q(7, 6), lambda_P=Q(3, 4))
        square = c["gamma"] ** 2
        steps.append(
            {
                "z": (
                    Bias(c["C_b"], c["lambda_b"]),
                    Weight(function, "z", c["C_W"], c["lambda_W"]),
                    Weight(LINEAR, "z", square, square * c["lambda_P"]),
                )
            }
        )
        couplings.append(c)
    count = range(len(functions))
    architecture = Architecture(*first_layer(inputs), tuple(steps), tuple({"z": k} for k in count), len(functions))
    named = tuple({"s": function} for function in functions)
    return Case(architecture, pt.network("projection"), named, tuple(couplings), tuple(count))


BRANCHES = """
name = "branches"
fields = ["z"]
[hyperparameters]
C_b = 0.1
C_s = 1.0
C_t = 0.5
lambda_b = 0.3
lambda_s = 1.0
lambda_t = 0.7
[parameters.b]
kind = "bias"
variance = "C_b"
learning_rate = "lambda_b"
[parameters.Ws]
kind = "weight"
variance = "C_s"
learning_rate = "lambda_s"
[parameters.Wt]
kind = "weight"
variance = "C_t"
learning_rate = "lambda_t"
[input]
z = ["b", "Ws"]
[[sublayers]]
z = [
    { parameter = "b" },
    { parameter = "Ws", function = "s", of = "z" },
    { parameter = "Wt", function = "t", of = "z" },
]
"""


def branches(folder, functions, inputs=INPUTS) -> Case:
    """z' = b + Ws s(z) + Wt t(z), a rule written by a user; ``functions`` holds (s, t) for each layer."""
    path = folder / "branches.toml"
    path.write_text(BRANCHES, encoding="utf-8")
    couplings, steps = [], []
    for k, (s, t) in enumerate(functions):
        c = _layer(k, C_b=Q(1, 2), C_s=Q(2, 3), C_t=Q(3, 7), lambda_b=Q(1, 5), lambda_s=Q(7, 6), lambda_t=Q(4, 5))
        channels = (
            Bias(c["C_b"], c["lambda_b"]),
            Weight(s, "z", c["C_s"], c["lambda_s"]),
            Weight(t, "z", c["C_t"], c["lambda_t"]),
        )
        steps.append({"z": channels})
        couplings.append(c)
    count = range(len(functions))
    architecture = Architecture(*first_layer(inputs), tuple(steps), tuple({"z": k} for k in count), len(functions))
    named = tuple({"s": s, "t": t} for s, t in functions)
    return Case(architecture, pt.network(path), named, tuple(couplings), tuple(count))


def skip(function, gamma=Q(2, 3), inputs=INPUTS) -> Architecture:
    """z' = gamma z + b + W s(z), which breaks the pair structure; for the witness alone."""
    channels = (Identity("z", gamma), Bias(Q(1, 2), Q(1, 5)), Weight(function, "z", Q(2, 3), Q(7, 6)))
    return Architecture(*first_layer(inputs), ({"z": channels},), ({"z": 0},), 1)
