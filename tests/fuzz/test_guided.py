"""What coverage has led to: the examples that are kept are drawn from bytes, and judged like all others."""

import pytest

from fuzz import formulas
from fuzz.campaign import HERE
from fuzz.guided import Bytes

CORPUS = sorted((HERE / "corpus" / "formulas").iterdir())


def test_bytes_are_chance_that_can_be_repeated():
    one, two = (formulas.draw(Bytes(bytes(range(100)))) for _ in range(2))
    assert one == two
    assert Bytes(b"\xff" * 8).getrandbits(3) == 7
    assert Bytes(b"").random() == 0


@pytest.mark.parametrize("share", range(4))
def test_formulas_that_reached_new_code_are_accepted_or_refused(share):
    assert len(CORPUS) > 100
    for path in CORPUS[share::4]:
        assert formulas.judge(formulas.draw(Bytes(path.read_bytes()))) in ("accepted", "refused")
