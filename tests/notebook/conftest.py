"""Names that a test gives end with the test."""

import pytest

from pertheory.rulebook import tensors


@pytest.fixture(autouse=True)
def session():
    before = dict(tensors._given)
    yield
    tensors._given.clear()
    tensors._given.update(before)
    tensors.tensor_of.cache_clear()
