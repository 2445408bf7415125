"""Explanations tell the choices that were made, and their contributions add up to the term."""

import pytest

import pertheory as pt
from pertheory.algebra.terms import sorted_terms
from pertheory.errors import InputError
from pertheory.forms.expand import ways

MOVES = ["tensor", "pair", "refine", "coincide", "insert", "connect", "collect"]


def test_the_third_term_of_v_is_the_insertion_of_v_with_all_legs_on_the_first_samples():
    recursion = pt.derive("mlp", "V")
    story = recursion.explain(3)
    ((diagram, steps),) = story.diagrams
    assert [step.move for step in steps] == [*MOVES, "expand"]
    assert "1 and 2 by the weight W: C_W/n" in steps[1].words
    assert "b1 on j1, b2 on j1, b3 on j2, b4 on j2" in steps[4].words
    assert "b1 on 1, b2 on 1, b3 on 3, b4 on 3: 1/4" in steps[7].words
    assert diagram.coefficient == story.coefficient
    assert "V(1,1,3,3) <s''_1 s_2> <s''_3 s_4>" in str(story)


@pytest.mark.parametrize("name", ["V", "D", "A", "T", "Q", "H{1}"])
def test_every_term_is_explained_by_contributions_that_add_up(name):
    recursion = pt.derive("mlp", name)
    for number, (term, coefficient) in enumerate(sorted_terms(recursion.terms), start=1):
        story = recursion.explain(number)
        total = sum(
            way.coefficient
            for diagram, _ in story.diagrams
            for image in diagram.images
            for way in ways(diagram, image, recursion.slot_of_vertex)
            if way.term == term
        )
        assert total == coefficient == story.coefficient
        assert story == recursion.explain(term)


def test_steps_of_move_one_say_which_edge_is_used_up_and_the_graph_loses_it():
    recursion = pt.derive("mlp", "H")
    stepped = [d for d in recursion.diagrams if d.couplings == (("lambda_W", 1),)]
    steps = recursion.explain(stepped[0]).diagrams[0][1]
    assert "the edge 1-2 is used up" in steps[1].words
    assert [kind for _, _, kind in steps[0].graph.edges] == ["derivative", "pair"]
    assert [kind for _, _, kind in steps[1].graph.edges] == ["pair"]


def test_the_graphs_are_graphs():
    recursion = pt.derive("mlp", "F")
    for diagram in recursion.diagrams:
        for step in recursion.explain(diagram).diagrams[0][1]:
            graph = step.graph.to_networkx()
            assert graph.number_of_nodes() == len(step.graph.nodes)
            assert graph.number_of_edges() == len(step.graph.edges)


@pytest.mark.parametrize("number", [0, 12, -1, True])
def test_a_term_that_does_not_exist_is_an_error_that_says_how_many_there_are(number):
    with pytest.raises(InputError, match="terms 1 to 11"):
        pt.derive("mlp", "V").explain(number)


def test_all_diagrams_show_every_member_of_an_orbit_once():
    recursion = pt.derive("mlp", "A")
    shown = recursion.all_diagrams
    assert len(shown) == 13
    assert len({diagram.key(diagram.images[0]) for diagram in shown}) == 13
