"""Results that are kept: of functions, forgotten together when what is derived changes; of methods, by the object."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
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


def kept(method: Function) -> Function:
    """As `functools.cache` for a method; what is kept belongs to the object, and goes with it."""
    name = f"_kept_{method.__name__}"

    @wraps(method)
    def found(self: Any, *arguments: Any) -> Any:
        known = self.__dict__.setdefault(name, {})
        if arguments not in known:
            known[arguments] = method(self, *arguments)
        return known[arguments]

    return cast(Function, found)


def forget() -> None:
    """Forget everything; needed only by those who change the moves, as a test does."""
    for clear in _kept:
        clear()
