"""Progress: on standard error, only where a person looks on or where it is asked for, and it says how long it takes."""

import subprocess
import sys
import threading

import pytest

import pertheory as pt
from pertheory import progress as module
from pertheory.progress import automatic, progress


class Waiting:
    """A body that ends when something has been written."""

    def __init__(self, monkeypatch, tqdm=False):
        self.text, self.written = "", threading.Event()
        monkeypatch.setattr(sys, "stderr", self)
        if not tqdm:
            monkeypatch.setitem(sys.modules, "tqdm", None)

    def write(self, text):
        self.text += text
        if text.strip():
            self.written.set()
        return len(text)

    def flush(self):
        """Nothing is held back."""

    def isatty(self):
        return True


def test_what_is_asked_for_is_shown_while_one_long_step_runs(monkeypatch, capsys):
    seen = Waiting(monkeypatch)
    with progress("deriving V", True):
        assert seen.written.wait(60)  # nothing has been reported: the thread tells by itself
    assert seen.text.startswith("\rderiving V: ")
    assert seen.text.endswith("\r")
    assert not capsys.readouterr().out


def test_it_tells_how_much_is_done_and_how_long_the_rest_takes(monkeypatch):
    seen = Waiting(monkeypatch)
    display = module._Plain("working")
    display.write(1, 4, 100.0, 150.0)
    assert seen.text == "\rworking: 1 of 4, 2 min, about 4 min left"  # three times 100 s, of which 50 s have gone
    display.write(1, 4, 100.0, 450.0)
    assert seen.text.endswith("\rworking: 1 of 4, 8 min".ljust(41))  # overdue: nobody knows


def test_with_tqdm_it_is_a_bar_and_nothing_of_it_stays(monkeypatch):
    pytest.importorskip("tqdm")
    seen = Waiting(monkeypatch, tqdm=True)
    with progress("working", True) as report:
        report(1, 4)
        assert seen.written.wait(60)
    assert "working" in seen.text
    assert seen.text.endswith("\r")


@pytest.mark.parametrize("show", [None, False])
def test_nothing_is_shown_to_nobody(monkeypatch, show):
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    seen = Waiting(monkeypatch)
    with progress("working", show, thread=False) as report:
        report(1, 4)
    assert not seen.text


def test_where_a_person_looks_on_it_is_shown_after_a_while(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    seen = Waiting(monkeypatch)
    with automatic(True), progress("working"):
        assert seen.written.wait(60)
    assert "working" in seen.text


def test_what_is_done_inside_shows_nothing_of_its_own(monkeypatch):
    seen = Waiting(monkeypatch)
    with progress("outer", True, thread=False), progress("inner", True, thread=False) as report:
        report(1, 2)
    assert "inner" not in seen.text
    with progress("later", True, thread=False) as report:
        module_time = module.BETWEEN
        monkeypatch.setattr(module, "BETWEEN", -1.0)
        report(1, 2)
    assert module_time > 0
    assert "later" in seen.text


@pytest.mark.parametrize("statement", ["sys.ps1 = '>>> '", "pass"])
def test_a_prompt_is_a_person(statement):
    code = f"import sys; {statement}; from pertheory.progress import interactive; print(interactive())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(statement != "pass")


def test_theories_runs_and_checks_take_true_and_false(monkeypatch, capsys):
    from pertheory.book.chapters import chapters
    from pertheory.book.check import check, select

    calls = []
    theory = pt.theory("mlp", "V", progress=lambda done, found: calls.append((done, found)))
    assert calls[-1][0] == calls[-1][1] == len(theory.nodes)
    assert pt.theory("mlp", "V", progress=True) == theory
    assert pt.theory("mlp", "V", progress=False) == theory
    model = theory.compile()
    assert model([[1.0]], "tanh", 3, progress=True)[3] == model([[1.0]], "tanh", 3, progress=False)[3]
    assert all(result.as_expected for result in check(select(chapters(), number="4.119"), progress=True))
    assert not capsys.readouterr().out


@pytest.mark.parametrize("value", [5, "yes"])
def test_anything_else_is_refused(value):
    with pytest.raises(pt.InputError, match="progress must be a function of two numbers, True, False or None"):
        pt.theory("mlp", "V", progress=value)
    with pytest.raises(pt.InputError, match="progress must be a function of two numbers, True, False or None"):
        pt.theory("mlp", "G").compile()([[1.0]], "tanh", 2, progress=value)


@pytest.mark.parametrize(("value", "hint"), [(True, "takes True"), (3, "not 3")])
def test_layers_that_are_taken_one_by_one_report_to_a_function(value, hint):
    model = pt.theory("mlp", "G").compile()
    with pytest.raises(pt.InputError, match=f"progress must be a function of layer, depth and fraction.*{hint}"):
        model.layers([[1.0]], "tanh", 2, progress=value)
    assert len(list(model.layers([[1.0]], "tanh", 2, progress=False))) == 2


def test_derivations_and_caches_are_logged_and_nothing_is_printed(caplog, tmp_path, capsys):
    import logging

    from pertheory.derive import layer
    from pertheory.store import Store

    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("pertheory").handlers)
    layer.diagrams.cache_clear()
    with caplog.at_level(logging.DEBUG, "pertheory"):
        pt.derive("mlp", "V", store=Store(tmp_path))
        pt.derive("mlp", "V", store=Store(tmp_path))
        pt.theory("mlp", "G").compile()([[1.0]], "tanh", 2)
    text = caplog.text
    assert "V of mlp: derived, 2 diagrams" in text
    assert "V of mlp: read from the cache" in text
    assert "theory of mlp to order 1/n^1: closed with" in text
    assert "which method averaged what" in text
    assert capsys.readouterr() == ("", "")
