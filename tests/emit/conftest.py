"""A quick compiler for tests of what compiled code computes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pertheory.run import ccompile


@pytest.fixture(scope="module")
def fast_builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of its own, and no optimisation: speed is not what is tested. Users' flags are in test_targets.py."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ccompile, "FLAGS", ("-std=c99", "-O0", "-fPIC", "-shared"))
        patch.setattr(ccompile, "cache_folder", lambda: folder)
        yield folder
