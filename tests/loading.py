"""Source text that pertheory printed, as a module: the tests run what is emitted, pertheory itself never does."""

from __future__ import annotations

import importlib.abc
import importlib.util
from functools import lru_cache
from types import ModuleType


class _TextLoader(importlib.abc.InspectLoader):
    """Loads one module from a string."""

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, fullname: str) -> str:
        return self.text


@lru_cache(maxsize=64)
def load_text(name: str, text: str) -> ModuleType:
    """The module that emitted source text defines.

    Args:
        name: shown in tracebacks; not registered in ``sys.modules``.
        text: as a printer of `pertheory.emit` wrote it.
    """
    loader = _TextLoader(text)
    spec = importlib.util.spec_from_loader(name, loader)
    if spec is None:
        raise RuntimeError(f"cannot load the emitted module {name}")
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
