"""Closed sets: what is found, that it is closed, and that it does not depend on how the work was done."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

import pertheory as pt
from pertheory.closure import ClosureTooLargeError
from pertheory.errors import InputError
from pertheory.rulebook.tensors import named_tensors
from pertheory.theory import theory
from pertheory.worker import Node


def test_thirteen_types_exist_at_order_one_and_more_than_a_hundred_at_order_two():
    first = theory("mlp", "every", 1)
    assert len(first.tensors) == 13
    assert {t.name for t, _ in first.tensors} == {t.name for t in named_tensors()} - {"V6"}
    second = theory("mlp", "every", 2)
    assert len(second.tensors) == 116  # 2 + 11 + 103 forests with a pairing on 2, 4, 6 vertices
    for tensor, orders in second.tensors:
        assert orders == tuple(range(2 - (tensor.pairs - 1) + 1))


@pytest.mark.parametrize("network", ["mlp", "projection", "residual"])
def test_everything_that_a_recursion_reads_is_in_the_set(network):
    closed = theory(network, "all", 2)
    sublayers = len(closed.network.sublayers)
    for node, needs in closed.dependencies.items():
        assert all(other in closed.diagrams for other in needs)
        assert all(other.sublayer == (node.sublayer - 1) % sublayers for other in needs)
        for diagram in closed.diagrams[node]:
            assert diagram.order == node.order
            for vertex in diagram.vertices:
                assert Node((node.sublayer - 1) % sublayers, vertex.kind, vertex.order) in needs


def test_order_is_the_power_of_one_over_width_and_a_name_is_taken_at_least_to_leading_order():
    closed = theory("mlp", ["V", "V6"], 1)
    assert {node.key for node in closed.nodes} == {"G", "V", "V6"}
    assert {node.key for node in theory("mlp", "K", 3).nodes} == {"G"}
    assert {node.key for node in theory("mlp", "G", 3).nodes} == {
        *("G", "G{1}", "G{2}", "G{3}", "V", "V{1}", "V{2}", "V6", "V6{1}"),
        "z(1) z(2) z(3) z(4) z(5) z(6) z(7) z(8) @ 12,34,56,78",
    }


def test_the_result_does_not_depend_on_who_did_the_work():
    alone = theory("residual", "all", 1)
    with ThreadPoolExecutor(3) as threads:
        assert list(theory("residual", "all", 1, executor=threads).diagrams.items()) == list(alone.diagrams.items())
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        assert list(theory("residual", "all", 1, executor=processes).diagrams.items()) == list(alone.diagrams.items())


def test_a_large_closure_stops_and_says_how_far_it_came():
    with pytest.raises(ClosureTooLargeError, match=r"56|57|58|59|6\d"):
        theory("residual", "all", 1, limit=55)
    with pytest.raises(ClosureTooLargeError, match="2087"):
        theory("mlp", "every", 3)
    assert len(theory("residual", "all", 1, limit=None).nodes) == 61


@pytest.mark.parametrize("bad", [-1, 1.5, True, "1"])
def test_order_must_be_a_whole_number(bad):
    with pytest.raises(InputError, match="whole number"):
        theory("mlp", "G", bad)


def test_the_public_functions_win_over_folders_of_the_same_name():
    import pertheory.derive.layer

    assert callable(pt.derive)
    assert pertheory.derive is pt.derive
    assert pt.theory is theory
