"""Sums and their products: a mapping from what stands in a term, without its coefficient, to the coefficient.

The coefficient may be any number; what a term holds may be any value with a product of its own. Terms that cancel are
left out, so that two sums are the same if they are equal as values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

Key = TypeVar("Key")
Exponents = tuple[int, ...]


def add(total: dict[Key, Any], other: Mapping[Key, Any], factor: Any = None) -> dict[Key, Any]:
    """Add in place, the second sum times a factor if there is one, and return the total."""
    for key, value in other.items():
        _put(total, key, value if factor is None else value * factor)
    return total


def collected(terms: Iterable[tuple[Key, Any]]) -> dict[Key, Any]:
    """The sum of terms, like ones put together.

    Example:
        >>> collected([("x", 1), ("y", 2), ("x", -1)])
        {'y': 2}
    """
    total: dict[Key, Any] = {}
    for key, value in terms:
        _put(total, key, value)
    return total


def multiply(a: Mapping[Key, Any], b: Mapping[Key, Any], times: Callable[[Key, Key], Key | None]) -> dict[Key, Any]:
    """The product.

    Args:
        a, b: sums.
        times: the product of what two terms hold; None if it is cut off.
    """
    total: dict[Key, Any] = {}
    for left, c in a.items():
        for right, d in b.items():
            key = times(left, right)
            if key is not None:
                value = c * d
                total[key] = total[key] + value if key in total else value
    return {key: value for key, value in total.items() if value}


def add_exponents(a: Exponents, b: Exponents) -> Exponents:
    """The exponents of a product of powers of the same variables."""
    return tuple([x + y for x, y in zip(a, b, strict=True)])


def _put(total: dict[Key, Any], key: Key, value: Any) -> None:
    if key in total:
        value = total[key] + value
        if not value:
            del total[key]
            return
    elif not value:
        return
    total[key] = value
