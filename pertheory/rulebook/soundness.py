"""Which rules the calculus may be applied to.

Every recursion rests on the pair structure: correlators are sums over pairings of their vertices into equal neurons.
It holds exactly where the joint law of the fields is unchanged by rotations among the neurons, each field by itself.
Fresh Gaussian weights mix the neurons and so restore this at every layer; a channel that passes a neuron on as it is
does not. A rule in which a passed-on field and a nonlinear function meet on the same neurons is therefore refused:
blocks other than pairs appear at order 1/n, and keeping pairs only would be quietly wrong.
"""

from __future__ import annotations

from pertheory.errors import RuleError, UnsupportedError
from pertheory.rulebook.network import IDENTITY, Network


def check_structure(rule: Network) -> None:
    """Refuse rules whose correlators are not made of pairs, or that need more than is built.

    Raises:
        RuleError: the rule is not sound; the message gives the reason.
        UnsupportedError: the rule may be sound, but this version cannot treat it.
    """
    where = rule.source or rule.name
    for index, sublayer in enumerate(rule.sublayers):
        place = f"{where}: sublayers[{index + 1}]"
        users: dict[str, set[str]] = {}
        passed: dict[str, str] = {}
        bent: dict[str, str] = {}
        for name, channels in sublayer.fields:
            for channel in channels:
                if channel.parameter:
                    users.setdefault(channel.parameter, set()).add(name)
                if channel.kind == "identity" and channel.function != IDENTITY:
                    raise RuleError(
                        f"{place}.{name}: not sound: the function {channel.function!r} of {channel.of!r} is passed "
                        "on neuron by neuron, with no weight to mix the neurons; use a weight channel"
                    )
                if channel.kind == "identity":
                    if channel.of in passed:
                        raise UnsupportedError(
                            f"{place}.{name}: the field {channel.of!r} is passed on twice (to {passed[channel.of]!r} "
                            "too), which correlates two fields; this version keeps fields independent"
                        )
                    passed[channel.of] = name
                elif channel.kind == "weight" and channel.function != IDENTITY:
                    bent[channel.of] = channel.function
        for field_name in sorted(passed.keys() & bent.keys()):
            raise RuleError(
                f"{place}: not sound: {field_name!r} is passed on by an identity channel while {bent[field_name]!r} "
                "acts on the same neurons, so correlators other than pairs appear at order 1/n; put a weight between "
                "(as a residual block does) or make the skip a weight channel (a projection)"
            )
        for parameter, fields in users.items():
            if len(fields) > 1:
                raise UnsupportedError(
                    f"{place}: the parameter {parameter!r} feeds {sorted(fields)}, which correlates two fields; this "
                    "version keeps fields independent: give each its own parameter"
                )
    for parameter_name in {name for _, names in rule.inputs for name in names}:
        fed = [field_name for field_name, names in rule.inputs if parameter_name in names]
        if len(fed) > 1:
            raise UnsupportedError(
                f"{where}: input: the parameter {parameter_name!r} feeds {fed}, which correlates two fields"
            )
