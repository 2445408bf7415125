"""Formulas of recursions: as they are derived, where samples coincide, on one input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import sympy

from pertheory.errors import InputError
from pertheory.rulebook.names import shown
from pertheory.rulebook.values import one_of
from pertheory.symbols.conversion import Samples, alone, component, diagram_expressions, expressions, samples_of
from pertheory.symbols.formula import Formula
from pertheory.symbols.named import definitions, with_names
from pertheory.symbols.objects import ELL

if TYPE_CHECKING:
    from pertheory.recursion import Recursion

FORMS = ("expanded", "diagram")


def formula(recursion: Recursion, form: str) -> Formula:
    """A recursion for distinct samples: every average spelled out, or as diagrams with legs that are summed over."""
    samples = samples_of(recursion.tensor)
    if one_of(FORMS, form, "form") == "diagram":
        return replace(_formula(recursion, diagram_expressions(recursion), samples), form=form)
    return _formula(recursion, expressions(recursion.terms, samples), samples)


def where(recursion: Recursion, equalities: Sequence[object]) -> Formula:
    """A recursion where some slots carry the same input; they take the label of the first of them."""
    pattern = pattern_of(recursion.tensor.labels, equalities)
    samples = samples_of(recursion.tensor)

    def merged(slot: int) -> sympy.Expr:
        return samples(pattern[slot])

    return _formula(recursion, expressions(recursion.terms_where(pattern), merged), merged)


def single_input(recursion: Recursion, sources: Sequence[Recursion]) -> Formula:
    """A recursion on one input, in the names that averages have.

    Args:
        recursion: any.
        sources: what names come from: of G, of G{1} alone, and of Theta in networks that are trained; nothing where the
            step of the layer has no field z.
    """
    found = expressions(recursion.single_input_terms, alone)
    taken = {name for name, _ in recursion.network.hyperparameters}
    names = definitions([sympy.Add(*expressions(own.single_input_terms, alone).values()) for own in sources])
    names = {name: value for name, value in names.items() if str(name) not in taken}
    found = with_names(found, names)
    used = {symbol for value in found.values() for symbol in value.free_symbols}
    shown_names = {name: value for name, value in names.items() if name in used}
    return replace(_formula(recursion, found, alone), definitions=shown_names)


def pattern_of(labels: Sequence[str], equalities: Sequence[object]) -> list[int]:
    """For each slot the first one with the same input, from texts such as "1=2" or "1=2=3".

    Raises:
        InputError: a text that is none, or a label that is no slot.
    """
    first = list(range(len(labels)))
    for text in equalities:
        parts = [part.strip() for part in text.split("=")] if isinstance(text, str) else []
        if len(parts) < 2:
            raise InputError(
                f"slots that carry the same input are given as '{labels[0]}={labels[-1]}', not {shown(text)}"
            )
        for part in parts:
            if part not in labels:
                raise InputError(f"{shown(text)}: {shown(part)} is no slot; slots are {', '.join(labels)}")
        joined = {first[labels.index(part)] for part in parts}
        first = [min(joined) if own in joined else own for own in first]
    return first


def _formula(recursion: Recursion, right: dict[int, sympy.Expr], samples: Samples) -> Formula:
    tensor = recursion.tensor
    at = [samples(slot) for slot in range(tensor.kind.size)]
    left = {order: component(tensor, order, at, ELL + 1) for order in recursion.orders}
    return Formula(recursion.networks, left, {k: right.get(k, sympy.Integer(0)) for k in recursion.orders})
