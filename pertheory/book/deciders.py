"""The one table of what decides which kind of statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from pertheory.book.equation import Equation
from pertheory.book.kinds import derived, expectations, posterior, solution, training
from pertheory.book.verdict import Verdict


class Decider(NamedTuple):
    """What decides a kind of statement.

    Attributes:
        decide: from an equation and a form of it (as stated, printed or restated) to a verdict.
        setting: whether its equations may have a setting.
    """

    decide: Callable[[Equation, str], Verdict]
    setting: bool = False


DECIDERS: Mapping[str, Decider] = {
    # what is derived
    "recursion": Decider(derived.decide_recursion),
    "identity": Decider(derived.decide_identity),
    "first layer": Decider(derived.decide_first_layer),
    "forward": Decider(derived.decide_forward),
    "definition": Decider(derived.decide_definition),
    "symmetry": Decider(derived.decide_symmetry),
    # what is an expectation
    "insertion": Decider(expectations.decide_insertion, setting=True),
    "weights": Decider(expectations.decide_weights),
    "metric": Decider(expectations.decide_metric),
    "action": Decider(expectations.decide_action, setting=True),
    # what is a solution
    **{kind: Decider(solution.decide, kind not in solution.WITHOUT_SETTING) for kind in solution.KINDS},
    # what is training
    "gradient step": Decider(training.decide_step, setting=True),
    "training sum": Decider(training.decide_sum),
    "trained": Decider(training.decide_trained, setting=True),
    "mean prediction": Decider(training.decide_mean),
    # what data say
    "posterior": Decider(posterior.decide_posterior, setting=True),
    "evidence": Decider(posterior.decide_evidence),
    "information": Decider(posterior.decide_information),
}
