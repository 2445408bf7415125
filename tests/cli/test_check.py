"""``pertheory check`` as people and programs see it."""

from __future__ import annotations

import json

import pytest

from pertheory.book import chapters as reader


def test_json_is_what_the_interface_promises(pertheory):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("check", "--equation", "8.97", "--format", "json")
    found = json.loads(out)
    assert (status, err, found["schema"]) == (0, "", "pertheory.check/1")
    one = next(entry for entry in found["equations"] if entry["number"] == "8.97")
    assert (one["status"], one["method"], one["residual"]) == ("verified", "both", 0.0)
    assert {"title", "note"} <= set(one)
    assert (one["source"], one["follows"], one["group"]) == ("restatement", "", "book")
    totals = found["totals"]
    assert list(totals) == ["book", "consequences and repeats", "ours"]
    assert totals["book"] == {"verified": 1, "erratum": 0, "mismatch": 0, "unchecked": 0, "numbered": 1}
    assert not any(totals["ours"].values())


def test_the_table_has_totals(pertheory):  # type: ignore[no-untyped-def]
    status, out, _ = pertheory("check", "--chapter", "4")
    assert status == 0
    assert "chapter 4: RG flow of preactivations" in out
    *_, book, consequences, ours, everything = out.splitlines()
    assert book.startswith("equations of the book, each once: ")
    assert consequences.startswith("consequences and repeats of them: ")
    assert ours == "ours: 1 verified"
    assert everything.startswith("all: ")


def test_what_is_asked_to_be_infinite_is_no_warning(pertheory):  # type: ignore[no-untyped-def]
    status, out, err = pertheory("check", "--equation", "inf.scale")
    assert (status, err) == (0, "")
    assert "verified (both)" in out


def test_an_equation_in_detail(pertheory):  # type: ignore[no-untyped-def]
    status, out, _ = pertheory("check", "--equation", "8.89")
    assert status == 0
    for part in (r"\begin{aligned}", r"\sigma'_{1}", "derived", "B'(1,3,2,4){0} =", "verified (both)"):
        assert part in out


@pytest.fixture
def wrong_book(tmp_path, monkeypatch):  # type: ignore[no-untyped-def]
    path = tmp_path / "ch01.toml"
    path.write_text(
        'chapter = "1"\ntitle = "one"\n[[equation]]\nnumber = "1.1"\ntitle = "t"\nsource = "ours"\nkind = "recursion"\n'
        'statement = "G\'(1,2) = C_b + 2 C_W <s_1 s_2>"\n'
    )
    monkeypatch.setattr(reader, "book_folder", lambda: tmp_path)
    reader.chapters.cache_clear()
    yield path
    reader.chapters.cache_clear()


def test_a_mismatch_shows_the_difference_and_exits_with_one(pertheory, wrong_book):  # type: ignore[no-untyped-def]
    status, out, _ = pertheory("check")
    assert status == 1
    assert "mismatch" in out
    assert "- C_W <s_1 s_2>" in out
    status, out, _ = pertheory("check", "--equation", "1.1")
    assert status == 1
    assert "left minus right" in out
    assert json.loads(pertheory("check", "--format", "json").out)["equations"][0]["difference"] == ["- C_W <s_1 s_2>"]


def test_a_wrong_file_is_one_line_and_two(pertheory, wrong_book):  # type: ignore[no-untyped-def]
    wrong_book.write_text(wrong_book.read_text().replace("<s_1 s_2>", "<s_1 s_2"))
    status, out, err = pertheory("check")
    assert (status, out) == (2, "")
    assert "ch01.toml: line 3: equation 1.1: line 1, column" in err
    assert err.count("\n") == 1


def test_unknown_numbers_are_refused(pertheory):  # type: ignore[no-untyped-def]
    status, _, err = pertheory("check", "--equation", "8.98")
    assert status == 2
    assert "nearest: 8.97" in err
