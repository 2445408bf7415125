"""What training does to a hidden layer, seen by a probe: outputs of their own that take no part in training.

A probe is another field that reads the last hidden layer, its weights zero. Its tangent kernel is then the kernel of
that layer, the mean of s(z_a) s(z_b) over neurons, and changes in training as tangent kernels do: leaves of the trained
outputs are grafted onto its trees. The tensors of such trees are derived like all others.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from pertheory.algebra.monomial import Monomial
from pertheory.errors import InputError, UnsupportedError
from pertheory.rulebook.architecture import Channel, Network, Parameter
from pertheory.rulebook.tensors import tensor_of
from pertheory.theory import theory
from pertheory.training.descent import LARGEST
from pertheory.training.moments import Moments, moved
from pertheory.training.start import Setup, Start, check_state
from pertheory.training.times import Course

PROBE = "probe"


def probed(rule: Network) -> Network:
    """A rule with a field that reads what the outputs z read by weights, with weights of its own.

    Raises:
        UnsupportedError: not by one weight matrix.
    """
    *before, last = rule.sublayers
    weights = [channel for channel in last.channels("z") if channel.kind == "weight"]
    if len(weights) != 1:
        raise UnsupportedError(
            f"the outputs of {rule.name} read the layers below by {len(weights)} weight matrices; the kernel of a "
            "hidden layer is that of one"
        )
    own = Channel("weight", "W_probe", weights[0].function, weights[0].of, weights[0].factor)
    one = Parameter("W_probe", "weight", _symbol("C_probe"), _symbol("lambda_probe"))
    return replace(
        rule,
        fields=(*rule.fields, PROBE),
        parameters=(*rule.parameters, one),
        inputs=(*rule.inputs, (PROBE, ("W_probe",))),
        sublayers=(*before, last._replace(fields=(*last.fields, (PROBE, (own,))))),
        hyperparameters=(*rule.hyperparameters, ("C_probe", 0.0), ("lambda_probe", 1.0)),
    )


def _symbol(name: str) -> Monomial:
    return Monomial(Fraction(1), ((name, 1),))


def hidden_moments(setup: Setup, course: Course) -> Moments:
    """Averages over networks with a probe.

    Raises:
        InputError: there is no hidden layer.
        UnsupportedError: as `probed`.
    """
    if setup.depth == 1:
        raise InputError("a network of depth 1 has no hidden layer; its features are the inputs")
    terms = moved(LARGEST, PROBE)
    kinds = dict.fromkeys(item.kind for term in terms for item in term.cumulants)
    own = theory(probed(setup.theory.network), [*map(tensor_of, kinds), "Theta"], order=1)
    state, reasons = setup._replace(theory=own).last_layer()
    check_state(state, reasons, terms)
    start = Start(state, len(setup.data.train))
    return Moments(course, start.tensor, start.theta, start.modes.T @ setup.data.targets)
