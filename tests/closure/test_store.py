"""The store: nothing finished is lost, nothing damaged is believed."""

import json
import random
import signal
import subprocess
import sys
import time
import warnings

import pytest

from pertheory.closure import theory
from pertheory.derive.codec import decode, encode
from pertheory.derive.layer import diagrams
from pertheory.errors import InputError
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.network import network
from pertheory.store import Store


@pytest.mark.parametrize("name", ["mlp", "projection", "residual"])
def test_diagrams_survive_the_way_to_text_and_back(name):
    closed = theory(name, "all", 1)
    for found in closed.diagrams.values():
        assert decode(encode(found)) == found


def test_a_second_run_reads_what_the_first_has_written(tmp_path, monkeypatch):
    first = theory("mlp", "all", 2, store=Store(tmp_path))
    files = list(tmp_path.rglob("*.json"))
    assert len(files) == len(first.nodes)
    monkeypatch.setattr("pertheory.work.diagrams", lambda *_: pytest.fail("derived again"))
    assert theory("mlp", "all", 2, store=Store(tmp_path)) == first


@pytest.mark.parametrize("damage", ["cut", "empty", "flip", "other key", "not json", "binary", "wrong shape"])
def test_a_damaged_or_stale_entry_is_derived_again_with_a_warning(tmp_path, damage):
    good = theory("mlp", ["V"], 1, store=Store(tmp_path))
    path = Store(tmp_path).path(good.network, 0, pure_type(2)[0], 0)
    text = path.read_text()
    record = json.loads(text)
    if damage == "cut":
        path.write_text(text[: len(text) // 2])
    elif damage == "empty":
        path.write_text("")
    elif damage == "flip":
        record["diagrams"] = record["diagrams"].replace("1/4", "1/8")
        path.write_text(json.dumps(record))
    elif damage == "other key":
        record["key"]["order"] = 7
        path.write_text(json.dumps(record))
    elif damage == "not json":
        path.write_text("{]")
    elif damage == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    else:
        path.write_text("[1, 2]")
    with pytest.warns(UserWarning, match="derived again"):
        again = theory("mlp", ["V"], 1, store=Store(tmp_path))
    assert again == good
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the entry has been mended
        assert theory("mlp", ["V"], 1, store=Store(tmp_path)) == good


def test_entries_depend_on_the_rule_and_not_on_its_name(tmp_path):
    store = Store(tmp_path)
    kind = pure_type(2)[0]
    mlp, other = network("mlp"), network("projection")
    assert store.path(mlp, 0, kind, 0) != store.path(other, 0, kind, 0)
    assert store.path(mlp, 0, kind, 0) != store.path(mlp, 0, kind, 1)
    assert store.path(mlp, 0, kind, 0) != store.path(mlp, 0, pure_type(3)[0], 0)
    import dataclasses

    assert store.path(mlp, 0, kind, 0) == store.path(dataclasses.replace(mlp, title="another"), 0, kind, 0)


PROGRAM = """
import sys
from pertheory.closure import theory
from pertheory.store import Store
theory("residual", "all", 2, store=Store(sys.argv[1]), limit=None)
"""


def test_a_run_killed_at_random_moments_loses_nothing_that_was_finished(tmp_path):
    chance = random.Random(7)
    counts = []
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stderr=subprocess.PIPE)
        time.sleep(0.4 + chance.random() * 0.5)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        counts.append(len(list(tmp_path.rglob("*.json"))))
    assert counts == sorted(counts)
    assert counts[-1] > 0
    finished = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # not one entry is damaged
        done = theory("residual", "all", 2, store=Store(tmp_path), limit=None)
    assert all(path.read_bytes() == content for path, content in finished.items())
    node = done.nodes[-1]
    assert done.diagrams[node] == diagrams(done.network, node.sublayer, node.kind, node.order)


def test_a_folder_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="--no-cache"):
        theory("mlp", "G", 0, store=Store(tmp_path / "file"))
