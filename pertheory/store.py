"""Derived diagrams on disk, so that long work can be interrupted and repeated.

An entry is named by a digest of all that it depends on: the rule, the sublayer, the tensor type, the order, and the
source of the engine itself. It is written to a temporary file and moved into place, so a killed process leaves no half
entry. Every entry repeats what it is for and carries a checksum; one that does not match is derived again, with a
warning. The folder is the user's cache folder, or the one that the variable PERTHEORY_CACHE names; it can be deleted at
any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pertheory.derive.codec import decode
from pertheory.derive.diagram import Diagram
from pertheory.errors import InputError
from pertheory.graphs.tensor import TensorType
from pertheory.rulebook.network import Network

SCHEMA = "pertheory.diagrams/1"
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


def default_folder() -> Path:
    """Where entries are kept if nobody says otherwise."""
    named = os.environ.get("PERTHEORY_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("pertheory", appauthor=False))


class Store:
    """A folder of derived diagrams.

    Args:
        folder: where; made when the first entry is written. The user's cache folder by default.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._given = folder

    @cached_property
    def folder(self) -> Path:
        """The folder in which the entries of this engine lie."""
        base = Path(self._given) if self._given is not None else default_folder()
        return base / engine_version()[:16]

    def path(self, rule: Network, sublayer: int, kind: TensorType, order: int) -> Path:
        """The file of one entry."""
        text = json.dumps(self._key(rule, sublayer, kind, order), sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"

    def read(self, rule: Network, sublayer: int, kind: TensorType, order: int) -> tuple[Diagram, ...] | None:
        """The diagrams of an entry; None, with a warning if it is damaged or stale, where they have to be derived."""
        path = self.path(rule, sublayer, kind, order)
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            warnings.warn(f"cache entry {path.name} cannot be read ({error}); it is derived again", stacklevel=2)
            return None
        try:
            record = json.loads(text)
            if record["schema"] != SCHEMA or record["key"] != self._key(rule, sublayer, kind, order):
                raise ValueError("it is for something else")
            if record["sha256"] != hashlib.sha256(record["diagrams"].encode()).hexdigest():
                raise ValueError("its checksum is wrong")
            return decode(record["diagrams"])
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            warnings.warn(f"cache entry {path.name} is damaged or stale ({error}); it is derived again", stacklevel=2)
            return None

    def write(self, rule: Network, sublayer: int, kind: TensorType, order: int, encoded: str) -> None:
        """Keep the diagrams of one entry, as `pertheory.derive.codec.encode` wrote them.

        Raises:
            InputError: the folder cannot be written to.
        """
        path = self.path(rule, sublayer, kind, order)
        record = {
            "schema": SCHEMA,
            "key": self._key(rule, sublayer, kind, order),
            "sha256": hashlib.sha256(encoded.encode()).hexdigest(),
            "diagrams": encoded,
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(record, file)
                os.replace(name, path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise InputError(
                f"cannot write to the cache folder {path.parent} ({error.strerror}); name another in PERTHEORY_CACHE, "
                "or go without (--no-cache)"
            ) from None

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
