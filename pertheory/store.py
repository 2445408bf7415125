"""Derived diagrams on disk, so that long work can be interrupted and repeated.

An entry is named by a digest of all that it depends on: the rule, the sublayer, the tensor type, the order, and the
source of the engine itself. It is written to a temporary file and moved into place, so a killed process leaves no half
entry. Every entry repeats what it is for and carries a checksum; one that does not match, or that somebody else may
have written, is derived again, with a warning. The folder is the user's cache folder, or the one that the variable
PERTHEORY_CACHE names; it can be deleted at any time. A folder that others can write to, or that cannot be written, is
not used, with a warning: what was derived is not lost with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pertheory.derive.codec import decode
from pertheory.derive.diagram import Diagram
from pertheory.files import cache_folder, distrust, make_private, read_own, replacing
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network

SCHEMA = "pertheory.diagrams/2"
#: Bytes that no entry has.
MOST = 1 << 30
REMEDY = "name another in PERTHEORY_CACHE, or go without (--no-cache)"
#: the parts of the package that decide what is derived
ENGINE = ("graphs", "algebra", "derive")


@lru_cache(maxsize=1)
def engine_version() -> str:
    """A digest of the source of the engine: entries of another engine are never read."""
    digest = hashlib.sha256(SCHEMA.encode())
    package = Path(__file__).resolve().parent
    for part in ENGINE:
        for path in sorted((package / part).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class Store:
    """A folder of derived diagrams.

    Args:
        folder: where; made when the first entry is written. The user's cache folder by default.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._given = folder
        self._writable = True

    @cached_property
    def folder(self) -> Path:
        """The folder in which the entries of this engine lie."""
        base = Path(self._given) if self._given is not None else cache_folder()
        return Path(os.path.realpath(base / engine_version()[:16]))  # a link is followed once

    @cached_property
    def _trusted(self) -> bool:
        """Whether the folder is used at all; says so once if it is not."""
        why = distrust(self.folder)
        if why:
            warnings.warn(f"the cache folder {self.folder} is not used: {why}; {REMEDY}", stacklevel=3)
        return not why

    def path(self, rule: Network, sublayer: int, kind: TensorType, order: int) -> Path:
        """The file of one entry."""
        text = json.dumps(self._key(rule, sublayer, kind, order), sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"

    def read(self, rule: Network, sublayer: int, kind: TensorType, order: int) -> tuple[Diagram, ...] | None:
        """The diagrams of an entry; None, with a warning if it is damaged or stale, where they have to be derived."""
        if not self._trusted:
            return None
        path = self.path(rule, sublayer, kind, order)
        try:
            record = json.loads(read_own(path, MOST))
            key = self._key(rule, sublayer, kind, order)
            if record["schema"] != SCHEMA or record["key"] != key:
                raise ValueError("it is for something else")
            if record["sha256"] != _checksum(key, record["diagrams"]):
                raise ValueError("its checksum is wrong")
            found = decode(record["diagrams"])
            if any(diagram.kind != kind or diagram.order != order for diagram in found):
                raise ValueError("its diagrams are of something else")
            return found
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            warnings.warn(
                f"cache entry {path.name} cannot be read ({error.strerror}); it is derived again", stacklevel=2
            )
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            warnings.warn(f"cache entry {path.name} is damaged or stale ({error}); it is derived again", stacklevel=2)
        return None

    def write(self, rule: Network, sublayer: int, kind: TensorType, order: int, encoded: str) -> None:
        """Keep the diagrams of one entry, as `pertheory.derive.codec.encode` wrote them.

        Where that is impossible (a full disk, a folder that refuses) there is one warning, and no more is kept.
        """
        if not self._writable or not self._trusted:
            return
        path = self.path(rule, sublayer, kind, order)
        key = self._key(rule, sublayer, kind, order)
        record = {"schema": SCHEMA, "key": key, "sha256": _checksum(key, encoded), "diagrams": encoded}
        try:
            make_private(path.parent)
            with replacing(path, private=True) as temporary:
                temporary.write_text(json.dumps(record), encoding="utf-8")
        except OSError as error:
            self._writable = False
            why = error.strerror or error
            warnings.warn(f"cannot write to the cache folder {path.parent} ({why}); {REMEDY}", stacklevel=2)

    @staticmethod
    def _key(rule: Network, sublayer: int, kind: TensorType, order: int) -> dict[str, Any]:
        """All that an entry depends on, as JSON reads it back."""
        parameters = [
            [p.name, p.kind, str(p.variance), None if p.learning_rate is None else str(p.learning_rate)]
            for p in rule.parameters
        ]
        channels = [
            [name, [[c.kind, c.parameter, c.function, c.of, str(c.factor)] for c in own]]
            for name, own in rule.sublayers[sublayer].fields
        ]
        return {
            "engine": engine_version(),
            "parameters": sorted(parameters),
            "sublayer": channels,
            "type": [list(kind.fields), [list(e) for e in kind.edges], [list(p) for p in kind.pairs]],
            "order": order,
        }


def _checksum(key: dict[str, Any], encoded: str) -> str:
    """Of what an entry is for and of what it holds, so that the contents of two cannot be exchanged."""
    return hashlib.sha256(f"{json.dumps(key, sort_keys=True)}\0{encoded}".encode()).hexdigest()
