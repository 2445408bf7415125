"""Which activation each function of a network is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pertheory.errors import InputError, PertheoryError, RuleError
from pertheory.functions.activation import Activation, activation
from pertheory.rulebook.architecture import Network
from pertheory.rulebook.files import nearest
from pertheory.rulebook.names import shown
from pertheory.text import shortened


def choose_functions(rule: Network, given: Any, parameters: Mapping[str, float]) -> dict[str, Activation]:
    """The activation of each function of a rule.

    Args:
        rule: the network; what it fixes itself stays.
        given: an activation, its name, formula or path for all other functions, or a mapping from functions to them.
        parameters: of the activations that are not fixed by the rule.

    Raises:
        InputError: a function that the rule does not have, or one without activation; a wrong activation; of a rule
            without functions one that is not linear.
        RuleError: an activation that the rule fixes is wrong.
    """
    if not isinstance(parameters, Mapping) or not all(isinstance(name, str) for name in parameters):
        raise InputError(f"parameters must be a mapping such as {{'slope': 0.1}}, not {shown(parameters)}")
    fixed: dict[str, Any] = fixed_functions(rule)
    chosen: dict[str, Activation] = {}
    if isinstance(given, Mapping):
        for name in given:
            if name not in rule.functions:
                hint = nearest(str(name)[:99], rule.functions)
                raise InputError(f"network {rule.name} has no function {shown(name)}; {hint}")
        fixed |= given
    if not rule.functions and given is not None and not isinstance(given, Mapping):
        only_linear(rule, given, parameters)
    for name in rule.functions:
        value = fixed.get(name, None if isinstance(given, Mapping) else given)
        if value is None:
            raise InputError(f"no activation is given for the function {name!r} of network {rule.name}")
        if isinstance(value, Activation):
            chosen[name] = value
        else:
            chosen[name] = activation(value, **parameters)
    return chosen


def only_linear(rule: Network, given: Any, parameters: Mapping[str, float]) -> Activation:
    """The activation of a network without functions, which is linear.

    Raises:
        InputError: it is not.
    """
    chosen = given if isinstance(given, Activation) else activation(given, **parameters)
    if chosen.coefficients != (0.0, 1.0):
        raise InputError(f"{rule.name} has no function; its activation is linear, not {shortened(chosen.name)}")
    return chosen


def fixed_functions(rule: Network) -> dict[str, Activation]:
    """The activations that a rule fixes itself, by function.

    Raises:
        RuleError: one is wrong; names file and key.
    """
    fixed = {}
    for name, value in rule.activations:
        try:
            fixed[name] = activation(value)
        except PertheoryError as error:
            raise RuleError(f"{rule.source or 'network'}: activations.{name}: {error}") from None
    return fixed
