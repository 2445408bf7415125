"""The parts of a network rule as data: parameters, channels, sublayers, and the rule that they make.

However a rule came about (read from a file, built in code, changed with `dataclasses.replace`), its names follow the
grammar of `pertheory.rulebook.names`: a `Network` with others cannot be made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from pertheory import html
from pertheory.algebra.monomial import ONE, Monomial
from pertheory.errors import RuleError
from pertheory.rulebook.names import GRAMMAR, is_name, shown
from pertheory.text import listed, shortened

IDENTITY = "id"  # the function f(z) = z, known to every rule
INPUT = "x"  # the field below the first layer: the inputs
#: What hyperparameters are not called: the widths, which are handed to emitted code beside them, and the other
#: arguments of a run, as in ``model(inputs, depth=3, C_W=2.0)``.
RESERVED = frozenset(
    {
        "n",
        "n_prev",
        "ratio",
        "self",
        "inputs",
        "activation",
        "depth",
        "widths",
        "rtol",
        "parameters",
        "progress",
        "kept",
        "counted",
    }
)


class Parameter(NamedTuple):
    """A fresh Gaussian parameter of a layer.

    Attributes:
        name: as in the rule file.
        kind: "bias" or "weight".
        variance: of one entry; for a weight times the width below.
        learning_rate: diagonal of the learning-rate tensor, likewise; None if it is not trained.
        distribution: "gaussian"; rules with others are not sound.
    """

    name: str
    kind: str
    variance: Monomial
    learning_rate: Monomial | None
    distribution: str = "gaussian"

    @property
    def text(self) -> str:
        """As in ``W: weight, variance C_W/n, learning rate lambda_W/n``."""
        per = "/n" if self.kind == "weight" else ""
        rate = "not trained" if self.learning_rate is None else f"learning rate {self.learning_rate.text}{per}"
        return f"{self.name}: {self.kind}, variance {self.variance.text}{per}, {rate}"


class Channel(NamedTuple):
    """One way in which a field is fed.

    Attributes:
        kind: "bias", "weight" or "identity".
        parameter: name of the parameter ("" for an identity channel).
        function: name of the function that is carried ("" for a bias).
        of: the field below ("" for a bias).
        factor: what multiplies the channel (identity channels; 1 otherwise).
    """

    kind: str
    parameter: str
    function: str
    of: str
    factor: Monomial

    @property
    def text(self) -> str:
        """As in ``W s(z)``."""
        if self.kind == "bias":
            return self.parameter
        inside = self.of if self.function == IDENTITY else f"{self.function}({self.of})"
        factor = "" if self.factor == ONE else self.factor.text
        return " ".join(part for part in (factor, self.parameter, inside) if part)


class Sublayer(NamedTuple):
    """One step of a layer: the fields it makes, each with the channels that feed it."""

    fields: tuple[tuple[str, tuple[Channel, ...]], ...]

    def channels(self, field_name: str) -> tuple[Channel, ...]:
        """The channels of one field."""
        return dict(self.fields)[field_name]


@dataclass(frozen=True)
class Network:
    """A network rule; read one with `network`, or build it in code.

    Attributes:
        name: short name, used in output.
        title: one line for people.
        fields: the fields at the end of a layer.
        parameters: all parameters by name.
        inputs: for each field of the first layer the parameters that feed it (weights act on the inputs).
        sublayers: the steps from one layer to the next.
        hyperparameters: symbols and their default values.
        activations: what each function of the rule is; a function without an entry is the user's activation.
        closure: "exact", or "pairs" for a rule that is not sound and is derived with pairs only, as an approximation.
        source: where the rule was read.
    """

    name: str
    title: str
    fields: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    inputs: tuple[tuple[str, tuple[str, ...]], ...]
    sublayers: tuple[Sublayer, ...]
    hyperparameters: tuple[tuple[str, float], ...]
    activations: tuple[tuple[str, str], ...] = ()
    closure: str = "exact"
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """See that every name is one, and that no field is fed twice by the same.

        Raises:
            RuleError: names the file, the key and the text that stands there.
        """
        for place, value in self._names():
            if not is_name(value):
                raise RuleError(f"{self.source or 'network'}: {place}: {shown(value)} is not a name ({GRAMMAR})")
        for symbol, _ in self.hyperparameters:
            if symbol in RESERVED:
                raise RuleError(
                    f"{self.source or 'network'}: hyperparameters.{symbol}: is the name of another argument wherever "
                    "hyperparameters are given; choose another"
                )
        for place, text in (("title", self.title), *((f"activations.{key}", own) for key, own in self.activations)):
            if not isinstance(text, str):
                raise RuleError(f"{self.source or 'network'}: {place}: must be a text, not {shown(text)}")
        for number, sublayer in enumerate(self.sublayers):
            for name, channels in sublayer.fields:
                feeding = [channel[:4] for channel in channels]  # a sum of such channels is one with another factor
                for at in (at for at, own in enumerate(feeding) if own in feeding[:at]):
                    raise RuleError(
                        f"{self.source or 'network'}: sublayers[{number}].{name}[{at}]: {channels[at].text} "
                        "stands there already; give it once, with all of its weight in its variance or coefficient"
                    )

    def equations(self) -> list[str]:
        """What makes each field, as in ``z' = b + W s(z)``, in the order of the sublayers."""
        return [
            f"{name}' = {' + '.join(channel.text for channel in channels)}"
            for layer in self.sublayers
            for name, channels in layer.fields
        ]

    def facts(self) -> list[tuple[str, Any]]:
        """What there is to say about it for people: rows of what and value, or values, one a line."""
        rows: list[tuple[str, Any]] = [
            ("title", self.title),
            ("layer", self.equations()),
            ("parameters", [p.text for p in self.parameters]),
            ("hyperparameters", ", ".join(f"{symbol} = {value:g}" for symbol, value in self.hyperparameters)),
            ("functions", ", ".join(self.functions)),
            ("activations", [f"{function} = {own}" for function, own in self.activations]),
            ("fields", ", ".join(self.fields) if self.has_several_fields else ""),
        ]
        approximation = "keeps pairs only: an approximation, since the rule is not sound"
        return [*rows, ("closure", approximation if self.closure == "pairs" else "")]

    def __repr__(self) -> str:
        hyper = listed((f"{symbol}={value:g}" for symbol, value in self.hyperparameters), 80)
        mark = ", pairs only" if self.closure == "pairs" else ""
        return f"Network({self.name}: {shortened(self.title, 80)}; {hyper}{mark})"

    def _repr_html_(self) -> str:
        return html.page(f"{self.name}: network", html.facts(self.facts()))

    def _names(self) -> Iterator[tuple[str, object]]:
        """Everything that is a name, with its place in a rule file."""
        yield "name", self.name
        yield from (("fields", name) for name in self.fields)
        yield from (("hyperparameters", symbol) for symbol, _ in self.hyperparameters)
        for parameter in self.parameters:
            yield "parameters", parameter.name
            for what in ("variance", "learning_rate"):
                value: Monomial | None = getattr(parameter, what)
                yield from ((f"parameters.{parameter.name}.{what}", s) for s, _ in (value.powers if value else ()))
        for name, feeding in self.inputs:
            yield "input", name
            yield from ((f"input.{name}", parameter_name) for parameter_name in feeding)
        for number, sublayer in enumerate(self.sublayers):
            for name, channels in sublayer.fields:
                yield f"sublayers[{number}]", name
                for place, channel in enumerate(channels):
                    where = f"sublayers[{number}].{name}[{place}]"
                    own = (("parameter", channel.parameter), ("function", channel.function), ("of", channel.of))
                    yield from ((f"{where}.{key}", value) for key, value in own if value != "")
                    yield from ((f"{where}.coefficient", symbol) for symbol, _ in channel.factor.powers)
        yield from (("activations", function) for function, _ in self.activations)

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name."""
        return next(p for p in self.parameters if p.name == name)

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of all functions that channels carry, the identity left out, sorted."""
        names = {c.function for layer in self.sublayers for _, channels in layer.fields for c in channels}
        return tuple(sorted(names - {IDENTITY, ""}))

    @cached_property
    def first_layer(self) -> Network:
        """The first layer as a rule of its own: one sublayer, whose weights act on the inputs."""
        feeding = dict(self.inputs)

        def channel(name: str) -> Channel:
            is_weight = self.parameter(name).kind == "weight"
            return Channel("weight", name, IDENTITY, INPUT, ONE) if is_weight else Channel("bias", name, "", "", ONE)

        own = tuple((name, tuple(channel(parameter) for parameter in feeding.get(name, ()))) for name in self.fields)
        return replace(self, sublayers=(Sublayer(own),))

    @property
    def has_several_fields(self) -> bool:
        """Whether an average has to say which field it is over."""
        return len({name for layer in self.sublayers for name, _ in layer.fields} | set(self.fields)) > 1

    @property
    def is_trained(self) -> bool:
        """Whether any parameter has a learning rate."""
        return any(parameter.learning_rate is not None for parameter in self.parameters)

    @property
    def passes_neurons(self) -> bool:
        """Whether an identity channel passes neurons on, which fixes the width."""
        return any(c.kind == "identity" for layer in self.sublayers for _, own in layer.fields for c in own)

    def fields_below(self, sublayer: int) -> tuple[str, ...]:
        """The fields that a sublayer acts on."""
        if sublayer == 0:
            return self.fields
        return tuple(name for name, _ in self.sublayers[sublayer - 1].fields)
