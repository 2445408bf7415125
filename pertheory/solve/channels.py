"""What the hyperparameters of a rule do, from its channels.

The *outer* parameters are the bias, and the weights behind a nonlinear function, of the last step of a layer:
criticality
fixes their variances (C_b and C_W of a perceptron), and depth scales their learning rates. The others are *inner* ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pertheory.algebra.monomial import Monomial
from pertheory.errors import UnsupportedError
from pertheory.rulebook.network import IDENTITY, Network


class Outer(NamedTuple):
    """The hyperparameters of the outer parameters; empty where a rule has none.

    Attributes:
        bias: the variance of the bias.
        weight: the variance of the weights.
        bias_rate: the learning rate of the bias.
        weight_rate: the learning rate of the weights.
    """

    bias: str
    weight: str
    bias_rate: str
    weight_rate: str


@lru_cache(maxsize=64)
def outer(rule: Network) -> Outer:
    """The hyperparameters that criticality and the scaling with depth are about.

    Raises:
        UnsupportedError: no single hyperparameter sets the variance of a single weight matrix.
    """
    channels = [channel for _, own in rule.sublayers[-1].fields for channel in own]
    weights = [channel for channel in channels if channel.kind == "weight"]
    nonlinear = [channel for channel in weights if channel.function != IDENTITY] or weights
    names = {channel.parameter for channel in nonlinear}
    if len(names) != 1:
        raise UnsupportedError(
            f"{rule.name} has {len(names)} weight matrices behind the activation in the last step of a layer; which "
            "variance is to be solved for is clear only for one"
        )
    biases = {channel.parameter for channel in channels if channel.kind == "bias"}
    bias = rule.parameter(biases.pop()) if len(biases) == 1 else None
    weight = rule.parameter(names.pop())
    found = Outer(
        _symbol(bias.variance) if bias else "",
        _symbol(weight.variance),
        _symbol(bias.learning_rate) if bias else "",
        _symbol(weight.learning_rate),
    )
    if not found.weight:
        raise UnsupportedError(f"the variance of {weight.name} in {rule.name} is not one hyperparameter")
    return found


def _symbol(value: Monomial | None) -> str:
    """The hyperparameter to which a monomial is proportional, or nothing."""
    return value.powers[0][0] if value is not None and len(value.powers) == 1 and value.powers[0][1] == 1 else ""


def inner_values(rule: Network) -> dict[str, int]:
    """The values at which solutions are stated of what is neither outer nor free.

    Biases have no variance, weights the variance one. Learning rates stay symbols, and so does a hyperparameter that
    enters otherwise, as the strength of a skip connection does.
    """
    own, held = outer(rule), {_symbol(p.variance): p for p in rule.parameters}
    return {name: int(held[name].kind == "weight") for name in dict(rule.hyperparameters) if name in {*held} - {*own}}


def rates(rule: Network) -> dict[str, str]:
    """The learning rates of a rule, and what each is called where it is scaled with depth.

    Raises:
        UnsupportedError: one is a product of several.
    """
    own, strong = outer(rule), {symbol for strength in strengths(rule) for symbol, _ in strength.powers}
    found = {}
    for parameter in rule.parameters:
        powers = parameter.learning_rate.powers if parameter.learning_rate is not None else ()
        free = [(name, power) for name, power in powers if name not in strong]
        if free and (len(free) > 1 or free[0][1] > 1):
            raise UnsupportedError(f"the learning rate of {parameter.name} in {rule.name} is not linear in one symbol")
        for name, _ in free:
            found[name] = f"tilde_{name.removeprefix('lambda_')}"
    return found | {name: to for name, to in ((own.bias_rate, "tilde_b"), (own.weight_rate, "tilde_W")) if name}


def strengths(rule: Network) -> Iterator[Monomial]:
    """Variances, and what neurons are passed on with."""
    yield from (parameter.variance for parameter in rule.parameters)
    yield from (channel.factor for sublayer in rule.sublayers for _, own in sublayer.fields for channel in own)


def open_functions(rule: Network) -> tuple[str, ...]:
    """The functions that stand for the activation of a class, "s" among them for averages that no rule asks for.

    Raises:
        UnsupportedError: the rule says itself what one of its functions is.
    """
    for function, name in rule.activations:
        raise UnsupportedError(f"{rule.name} says that {function} is {name}; a class of activations leaves it open")
    return (*rule.functions, *({"s"} - set(rule.functions)))
