"""Property tests draw new examples on a person's machine, the same ones in CI; caches are those of the tests."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Derived diagrams and compiled code are kept for one session of tests, which share them."""
    folder = str(tmp_path_factory.mktemp("cache"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERTHEORY_CACHE", folder)
        patch.setenv("XDG_CACHE_HOME", folder)
        yield
