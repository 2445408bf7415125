"""Which rules the calculus may be applied to.

Every recursion rests on the pair structure: correlators are sums over pairings of their vertices into equal neurons.
It holds exactly where the joint law of the fields is unchanged by rotations among the neurons, each field by itself.
Fresh Gaussian weights mix the neurons and so restore this at every layer; a channel that passes a neuron on as it is
does not. Three kinds of rule are therefore not sound, and keeping pairs only would be quietly wrong:

* a passed-on field and a nonlinear function meet on the same neurons: z' = gamma z + W s(z);
* a nonlinear function is passed on neuron by neuron: z' = s(z) + W z;
* parameters that are not Gaussian: a fourth cumulant of W joins four vertices in one block.

Fields that are fed by one parameter, or passed on twice, are correlated; such rules may be sound, but this version
keeps the fields of a rule independent and says so.
"""

from __future__ import annotations

from pertheory.errors import UnsupportedError
from pertheory.rulebook.architecture import IDENTITY, Network, Sublayer
from pertheory.rulebook.names import shown


def unsound(rule: Network) -> list[str]:
    """The reasons for which the pair structure does not hold exactly; none for a sound rule.

    Raises:
        UnsupportedError: the rule may be sound, but this version cannot treat it.
    """
    where = rule.source or rule.name
    _independent_fields(rule, where)
    reasons = [
        f"{where}: parameters.{parameter.name}.distribution: not sound: {shown(parameter.distribution)} parameters "
        "have a fourth cumulant, which joins four vertices in one block, in the first layer too; use gaussian"
        for parameter in rule.parameters
        if parameter.distribution != "gaussian"
    ]
    for index, sublayer in enumerate(rule.sublayers):
        reasons += _unmixed(sublayer, f"{where}: sublayers[{index}]")
    return reasons


def _unmixed(sublayer: Sublayer, place: str) -> list[str]:
    """Nonlinear functions that act on neurons which are passed on as they are."""
    reasons = []
    passed: set[str] = set()
    bent: dict[str, str] = {}
    for name, channels in sublayer.fields:
        for channel in channels:
            if channel.kind == "identity":
                passed.add(channel.of)
                if channel.function != IDENTITY:
                    reasons.append(
                        f"{place}.{name}: not sound: the function {channel.function!r} of {channel.of!r} is passed on "
                        "neuron by neuron, with no weight to mix the neurons; use a weight channel"
                    )
            elif channel.kind == "weight" and channel.function != IDENTITY:
                bent[channel.of] = channel.function
    for name in sorted(passed & bent.keys()):
        reasons.append(
            f"{place}: not sound: {name!r} is passed on by an identity channel while {bent[name]!r} acts on the same "
            "neurons, so correlators other than pairs appear at order 1/n; put a weight between (as a residual block "
            "does) or make the skip a weight channel (a projection)"
        )
    return reasons


def _independent_fields(rule: Network, where: str) -> None:
    """Refuse rules in which two fields are correlated."""
    for index, sublayer in enumerate(rule.sublayers):
        place = f"{where}: sublayers[{index}]"
        users: dict[str, set[str]] = {}
        for name, channels in sublayer.fields:
            for channel in channels:
                source = channel.parameter or f"the field {channel.of!r}, passed on,"
                users.setdefault(source, set()).add(name)
        for source, fields in users.items():
            if len(fields) > 1:
                raise UnsupportedError(
                    f"{place}: {source} feeds {' and '.join(sorted(fields))}, which correlates them; this version "
                    "keeps the fields of a rule independent: give each a parameter of its own"
                )
    for parameter in sorted({name for _, names in rule.inputs for name in names}):
        fed = [field for field, names in rule.inputs if parameter in names]
        if len(fed) > 1:
            raise UnsupportedError(f"{where}: input: {parameter} feeds {' and '.join(fed)}, which correlates them")
