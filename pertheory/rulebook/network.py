"""The rule of a network: what the engine knows about an architecture.

A layer is one or more sublayers. A sublayer makes fields (one preactivation per neuron and sample) out of the fields
below it, through channels:

* a *bias* channel adds a parameter of its own to each neuron;
* a *weight* channel adds ``sum_j W_ij f(y_j)``: fresh Gaussian ``W`` of variance ``C / n``, ``f`` a function of the
  field ``y`` below, ``n`` the number of neurons summed over;
* an *identity* channel adds ``gamma y_i``: the same neuron of a field below, no sum.

`pertheory.rulebook.soundness` decides whether the pair structure, on which the whole calculus rests, holds exactly.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from pertheory.algebra.monomial import ONE, Monomial
from pertheory.errors import InputError, RuleError
from pertheory.rulebook.architecture import IDENTITY, Channel, Network, Parameter, Sublayer
from pertheory.rulebook.files import nearest, other_kind, parse_toml, plain_table, read_toml, rules_folder
from pertheory.rulebook.names import GRAMMAR, NAME, is_name, shown
from pertheory.rulebook.soundness import unsound

__all__ = ["CLOSURES", "IDENTITY", "AnyRule", "Channel", "Network", "Parameter", "Sublayer", "network", "read_network"]

#: What messages call rules that are in no file.
_TEXT, _DICT = Path("<text>"), Path("<dict>")
CLOSURES = ("exact", "pairs")
#: Numbers in a variance, a rate or a coefficient: powers of them must stay in the range of doubles.
SMALLEST, GREATEST = 1e-12, 1e12
#: The highest power of a hyperparameter in one of them, and how many steps a layer may have.
MOST_POWER, MOST_SUBLAYERS = 20, 50
_FACTOR = re.compile(rf"(?:([0-9]{{1,18}}(?:/[1-9][0-9]{{0,17}}|\.[0-9]{{1,18}})?)|({NAME})(?:\^([1-9]))?)")


_KEYS = {
    "": ["name", "title", "fields", "hyperparameters", "parameters", "input", "sublayers", "activations"],
    "parameters": ["kind", "variance", "learning_rate", "distribution"],
    "channel": ["parameter", "function", "of", "identity", "coefficient"],
}


#: A rule as people give one; see `network`.
AnyRule: TypeAlias = str | Path | Mapping[str, Any] | Network


def network(rule: AnyRule, closure: str = "exact") -> Network:
    """A network rule by name ("mlp"), by path to a rule file, as the text of one, as a dictionary, or as it is.

    Args:
        rule: which rule. A text with an end of line or a ``=`` is the content of a rule file, unless a file has that
            name; a dictionary is one as `tomllib` reads it.
        closure: "exact" refuses rules that are not sound. "pairs" derives them all the same, keeping only correlators
            that are sums over pairs, with a warning; every output is then marked as an approximation.

    Raises:
        InputError: there is no such rule; the message names the nearest.
        RuleError: the rule file is wrong or the network is not sound.
    """
    if closure not in CLOSURES:
        raise InputError(f"closure must be one of {', '.join(CLOSURES)}, not {closure!r}")
    found = any_rule(rule)
    if found.closure == "pairs":
        return found  # has been accepted, with its warning
    reasons = unsound(found)
    if not reasons:
        return found
    if closure == "exact":
        raise RuleError(f'{reasons[0]} (closure "pairs" derives it all the same, as an approximation)')
    warnings.warn(f"keeping pairs only, which is an approximation: {reasons[0]}", stacklevel=2)
    return replace(found, closure="pairs")


def any_rule(given: AnyRule) -> Network:
    """A rule in any of the forms in which people give one; whether it is sound is not asked.

    Raises:
        InputError: there is no such rule, or it is none of these forms.
        RuleError: the rule is wrong; names the file, ``<text>`` or ``<dict>``, and the key.
    """
    if isinstance(given, Network):
        return given
    if isinstance(given, Mapping):
        return _Reader(_DICT, plain_table(given, _DICT)).network()
    if not isinstance(given, str | Path):
        raise InputError(
            f"a network is a name, the path or the text of a rule file, a dictionary or a Network, not {shown(given)}"
        )
    if isinstance(given, str) and is_toml(given):
        return _Reader(_TEXT, parse_toml(given, _TEXT)).network()
    return read_network(rule_file(given))


def is_toml(text: str) -> bool:
    """Whether a text is a rule itself, and not the name of one or the path of its file."""
    return "\n" in text or ("=" in text and not text.endswith(".toml") and not os.path.isfile(text))


def rule_file(name_or_path: str | Path) -> Path:
    """The file of a rule, by its name or path.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        path = Path(text)
        if not path.is_file():
            raise InputError(f"network rule {text!r}: {'is not a file' if path.exists() else 'no such file'}")
        return path
    path = rules_folder() / "networks" / f"{text}.toml"
    if not is_name(text) or not path.is_file():
        known = sorted(p.stem for p in (rules_folder() / "networks").glob("*.toml"))
        hint = other_kind(text, "network") or nearest(text[:99], known)
        if os.path.isfile(text):  # which says no to names that no system takes
            hint = "there is a file of that name, but those of rules end in .toml"
        raise InputError(f"unknown network {shown(text)}; {hint}")
    return path


def read_network(path: Path) -> Network:
    """Read one rule file and check its form; whether it is sound is for `pertheory.rulebook.soundness` to say.

    Raises:
        RuleError: names the file, the key and what would be right.
    """
    reader = _Reader(path, read_toml(path))
    return reader.network()


class _Reader:
    """Turns the tables of one file into a `Network`, with errors that name file and key."""

    def __init__(self, path: Path, table: dict[str, Any]) -> None:
        self.path, self.table = path, table
        self.hyper: dict[str, Any] = {}
        self.parameters: dict[str, Parameter] = {}

    def wrong(self, key: str, message: str) -> RuleError:
        return RuleError(f"{self.path.name}: {key}: {message}")

    def get(self, table: dict[str, Any], key: str, kind: type, where: str = "") -> Any:
        place = f"{where}.{key}" if where else key
        if key not in table:
            raise self.wrong(place, "is missing")
        if not isinstance(table[key], kind):
            raise self.wrong(place, f"must be a {_TYPE_NAMES[kind]}, not {shown(table[key])}")
        return table[key]

    def known_keys(self, table: dict[str, Any], allowed: list[str], where: str) -> None:
        for key in table:
            if key not in allowed:
                place = f"{where}.{key}" if where else key
                raise self.wrong(place, f"unknown key; {nearest(key, allowed)}")

    def network(self) -> Network:
        table = self.table
        self.known_keys(table, _KEYS[""], "")
        fields = self.names(self.get(table, "fields", list), "fields")
        if "z" not in fields:
            raise self.wrong("fields", "the preactivation that is left at the end of a layer must be called z")
        self.hyper = hyper = self.get(table, "hyperparameters", dict)
        for symbol, value in hyper.items():
            self.name(symbol, "hyperparameters")
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise self.wrong(f"hyperparameters.{symbol}", f"must be a number, not {shown(value)}")
        entries = self.get(table, "parameters", dict)
        self.parameters = {name: self.parameter(name, entry) for name, entry in entries.items()}
        sublayers: list[Sublayer] = []
        below = fields
        if len(self.get(table, "sublayers", list)) > MOST_SUBLAYERS:
            raise self.wrong("sublayers", f"a layer has at most {MOST_SUBLAYERS}, not {len(table['sublayers'])}")
        for index, entry in enumerate(table["sublayers"]):
            sublayer = self.sublayer(f"sublayers[{index}]", entry, below)
            sublayers.append(sublayer)
            below = tuple(name for name, _ in sublayer.fields)
        if not sublayers:
            raise self.wrong("sublayers", "a layer needs at least one sublayer")
        if set(below) != set(fields):
            raise self.wrong("sublayers", f"the last one makes {list(below)}, but fields says {list(fields)}")
        inputs = []
        entries = self.get(table, "input", dict)
        self.known_keys(entries, list(fields), "input")
        for name in fields:
            feeding = self.names(self.get(entries, name, list, "input"), f"input.{name}")
            for parameter in feeding:
                if parameter not in self.parameters:
                    raise self.wrong(f"input.{name}", f"unknown parameter; {nearest(parameter, self.parameters)}")
            inputs.append((name, feeding))
        activations = table.get("activations", {})
        if not isinstance(activations, dict):
            raise self.wrong("activations", "must be a table: function = activation")
        used = {c.function for layer in sublayers for _, own in layer.fields for c in own} - {"", IDENTITY}
        for function, activation in activations.items():
            if not isinstance(activation, str):
                raise self.wrong(f"activations.{function}", "must be the name or formula of an activation")
            if function not in used:
                raise self.wrong(
                    f"activations.{self.name(function, 'activations')}",
                    f"no channel carries this function; {nearest(function, used)}",
                )
        if not isinstance(table.get("title", ""), str):
            raise self.wrong("title", f"must be a text, not {shown(table['title'])}")
        name = self.name(self.get(table, "name", str), "name")
        return Network(
            name=name,
            title=table.get("title", name),
            fields=fields,
            parameters=tuple(self.parameters.values()),
            inputs=tuple(inputs),
            sublayers=tuple(sublayers),
            hyperparameters=tuple(sorted((s, float(v)) for s, v in hyper.items())),
            activations=tuple(sorted(activations.items())),
            source=self.path.name,
        )

    def names(self, values: list[Any], where: str) -> tuple[str, ...]:
        for value in values:
            self.name(value, where)
        if len(set(values)) != len(values) or not values:
            raise self.wrong(where, "must name at least one thing, each once")
        return tuple(values)

    def name(self, value: object, where: str, what: str = "a name") -> str:
        if not is_name(value):
            raise self.wrong(where, f"{shown(value)} is not {what} ({GRAMMAR})")
        return value

    def monomial(self, value: Any, where: str) -> Monomial:
        """A number, a hyperparameter, or a product of such with powers: ``gamma^2*C_W``."""
        result = ONE
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            result = Monomial(Fraction(value).limit_denominator(10**12), ())
        else:
            parts = value.replace(" ", "").split("*") if isinstance(value, str) and len(value) <= 500 else [""]
            for part in parts:
                match = _FACTOR.fullmatch(part)
                if match is None or (match.group(2) and match.group(2) not in self.hyper):
                    known = ", ".join(sorted(self.hyper))
                    raise self.wrong(where, f"{shown(value)} is not a product of numbers and hyperparameters ({known})")
                number, symbol, power = match.groups()
                own = Monomial(Fraction(number), ()) if number else Monomial(Fraction(1), ((symbol, int(power or 1)),))
                result = result * own
        size = abs(result.coefficient)
        if (size and not SMALLEST <= size <= GREATEST) or (not size and value != 0 and not isinstance(value, str)):
            raise self.wrong(where, f"{shown(value)} is not 0 nor between {SMALLEST:g} and {GREATEST:g} in size")
        if any(power > MOST_POWER for _, power in result.powers):
            raise self.wrong(where, f"{shown(value)} has a power higher than {MOST_POWER}")
        return result

    def parameter(self, name: str, entry: Any) -> Parameter:
        where = f"parameters.{self.name(name, 'parameters')}"
        if not isinstance(entry, dict):
            raise self.wrong(where, "must be a table with kind, variance and learning_rate")
        self.known_keys(entry, _KEYS["parameters"], where)
        kind = self.get(entry, "kind", str, where)
        if kind not in ("bias", "weight"):
            raise self.wrong(f"{where}.kind", f'must be "bias" or "weight", not {shown(kind)}')
        if "variance" not in entry:
            raise self.wrong(f"{where}.variance", "is missing")
        variance = self.monomial(entry["variance"], f"{where}.variance")
        if variance.coefficient < 0:
            raise self.wrong(f"{where}.variance", f"must not be negative, but is {shown(entry['variance'])}")
        for symbol, _ in variance.powers:
            if self.hyper[symbol] < 0 and dict(variance.powers)[symbol] % 2:
                raise self.wrong(
                    f"hyperparameters.{symbol}", f"is a variance and must not be negative: {self.hyper[symbol]}"
                )
        distribution = entry.get("distribution", "gaussian")
        if not isinstance(distribution, str):
            raise self.wrong(f"{where}.distribution", 'must be a word, such as "gaussian"')
        rate = entry.get("learning_rate")
        return Parameter(
            name,
            kind,
            variance,
            None if rate is None else self.monomial(rate, f"{where}.learning_rate"),
            distribution,
        )

    def sublayer(self, where: str, entry: Any, below: tuple[str, ...]) -> Sublayer:
        if not isinstance(entry, dict) or not entry:
            raise self.wrong(where, "must be a table: field = [channels]")
        made = []
        for name, channels in entry.items():
            self.name(name, where)
            if not isinstance(channels, list) or not channels:
                raise self.wrong(f"{where}.{name}", "must be a list of channels")
            own = [self.channel(f"{where}.{name}[{i}]", channel, below) for i, channel in enumerate(channels)]
            made.append((name, tuple(own)))
        return Sublayer(tuple(made))

    def channel(self, where: str, entry: Any, below: tuple[str, ...]) -> Channel:
        if not isinstance(entry, dict):
            raise self.wrong(where, 'must be a table such as { parameter = "W", function = "s", of = "z" }')
        self.known_keys(entry, _KEYS["channel"], where)
        of = entry.get("of", "")
        if not isinstance(of, str) or (of and of not in below):
            raise self.wrong(f"{where}.of", f"there is no field {shown(of)} below; {nearest(str(of)[:99], below)}")
        function = entry.get("function", IDENTITY)
        self.name(function, f"{where}.function", "the name of a function")
        if "identity" in entry or "parameter" not in entry:
            if entry.get("identity") is not True or "parameter" in entry:
                raise self.wrong(where, "needs either a parameter or identity = true")
            if not of:
                raise self.wrong(f"{where}.of", "is missing: the field below that is passed on")
            factor = self.monomial(entry.get("coefficient", 1), f"{where}.coefficient")
            return Channel("identity", "", function, of, factor)
        if "coefficient" in entry:
            raise self.wrong(f"{where}.coefficient", "belongs to identity channels; use the parameter's variance")
        name = entry["parameter"]
        if not isinstance(name, str) or name not in self.parameters:
            raise self.wrong(
                f"{where}.parameter", f"unknown parameter {shown(name)}; {nearest(str(name)[:99], self.parameters)}"
            )
        if self.parameters[name].kind == "bias":
            if of or "function" in entry:
                raise self.wrong(where, f"the bias {name!r} carries no function of a field")
            return Channel("bias", name, "", "", ONE)
        if not of:
            raise self.wrong(f"{where}.of", "is missing: the field below that the weight acts on")
        return Channel("weight", name, function, of, ONE)


_TYPE_NAMES: dict[type, str] = {str: "string", list: "list", dict: "table"}
