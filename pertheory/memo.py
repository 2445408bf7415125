"""Results that are kept because they follow from what is derived, and can be forgotten together."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
_kept: list[Callable[[], None]] = []


def remembered(maxsize: int) -> Callable[[Function], Function]:
    """As `functools.lru_cache`, for functions whose results change when the six moves do; see `forget`."""

    def wrap(function: Function) -> Function:
        cached = lru_cache(maxsize=maxsize)(function)
        _kept.append(cached.cache_clear)
        return cast(Function, cached)

    return wrap


def forget() -> None:
    """Forget everything; needed only by those who change the moves, as a test does."""
    for clear in _kept:
        clear()
