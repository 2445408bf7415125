"""The store: nothing finished is lost, nothing damaged is believed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings

import pytest

from pertheory.derive.codec import decode, encode
from pertheory.derive.layer import diagrams
from pertheory.graphs.tensor import pure_type
from pertheory.rulebook.network import network
from pertheory.store import Store, _checksum
from pertheory.theory import theory


@pytest.mark.parametrize("name", ["mlp", "projection", "residual"])
def test_diagrams_survive_the_way_to_text_and_back(name):
    closed = theory(name, "all", 1)
    for found in closed.diagrams.values():
        assert decode(encode(found)) == found


def leaves(value, path=()):
    """Every place of a nested list."""
    yield path
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))


def test_whatever_stands_at_a_wrong_place_is_refused():
    text = encode(diagrams(network("mlp"), 0, pure_type(2)[0], 0)[1:])
    for path in leaves(json.loads(text)):
        for wrong in (None, True, 1.5, {}, {"a": 1}, [[]], [None], "1/0", "-", ["x"] * 17):
            plain = holder = [json.loads(text)]
            for number in (0, *path)[:-1]:
                holder = holder[number]
            old, holder[(0, *path)[-1]] = holder[(0, *path)[-1]], wrong
            fits = wrong is None or type(old) is type(wrong)  # another value, or an empty line of a vertex
            try:
                found = decode(json.dumps(plain[0]))
            except ValueError:
                continue
            assert fits, (path, wrong)
            assert decode(encode(found)) == found


def test_a_second_run_reads_what_the_first_has_written(tmp_path, monkeypatch):
    first = theory("mlp", "all", 2, store=Store(tmp_path))
    files = list(tmp_path.rglob("*.json"))
    assert len(files) == len(first.nodes)
    monkeypatch.setattr("pertheory.worker.diagrams", lambda *_: pytest.fail("derived again"))
    assert theory("mlp", "all", 2, store=Store(tmp_path)) == first


def resealed(record, diagrams):
    """An entry with other diagrams and a checksum that is right for them."""
    record["diagrams"] = diagrams
    record["sha256"] = _checksum(record["key"], diagrams)
    return json.dumps(record)


DAMAGES = {
    "cut": lambda text, record: text[: len(text) // 2],
    "empty": lambda text, record: "",
    "flip": lambda text, record: json.dumps({**record, "diagrams": record["diagrams"].replace("1/4", "1/8")}),
    "other key": lambda text, record: json.dumps({**record, "key": {**record["key"], "order": 7}}),
    "other schema": lambda text, record: json.dumps({**record, "schema": "pertheory.diagrams/0"}),
    "not json": lambda text, record: "{]",
    "wrong shape": lambda text, record: "[1, 2]",
    "number": lambda text, record: "1",
    "no text": lambda text, record: json.dumps({**record, "diagrams": 7}),
    "deep": lambda text, record: "[" * 100_000,
    "deep inside": lambda text, record: resealed(record, "[" * 100_000),
    "not json inside": lambda text, record: resealed(record, "nonsense"),
    "division by zero": lambda text, record: resealed(record, record["diagrams"].replace("1/4", "1/0")),
    "endless number": lambda text, record: resealed(record, record["diagrams"].replace("1/4", "1e999999999")),
    "many digits": lambda text, record: resealed(record, record["diagrams"].replace("1/4", "9" * 10_000)),
    "no fraction": lambda text, record: resealed(record, record["diagrams"].replace('"1/4"', "0.25")),
    "other type": lambda text, record: resealed(record, record["diagrams"].replace('"sum",false', '"sum",0')),
    "list too short": lambda text, record: resealed(record, record["diagrams"].replace("[0,1]", "[0]")),
    "nothing": lambda text, record: resealed(record, "[null]"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_stale_entry_is_derived_again_with_a_warning(tmp_path, damage):
    good = theory("mlp", ["V"], 1, store=Store(tmp_path))
    path = Store(tmp_path).path(good.network, 0, pure_type(2)[0], 0)
    text = path.read_text()
    broken = DAMAGES[damage](text, json.loads(text))
    assert broken != text
    path.write_text(broken)
    check_derived_again(tmp_path, good)


def test_the_damages_that_are_resealed_are_damages_only_by_what_they_hold(tmp_path):
    good = theory("mlp", ["V"], 1, store=Store(tmp_path))
    path = Store(tmp_path).path(good.network, 0, pure_type(2)[0], 0)
    record = json.loads(path.read_text())
    path.write_text(resealed(record, record["diagrams"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert theory("mlp", ["V"], 1, store=Store(tmp_path)) == good


def check_derived_again(folder, good):
    with pytest.warns(UserWarning, match="derived again"):
        again = theory("mlp", ["V"], 1, store=Store(folder))
    assert again == good
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the entry has been mended
        assert theory("mlp", ["V"], 1, store=Store(folder)) == good


def place_of(path, damage):
    """Put something else in the place of an entry."""
    content = path.read_bytes()
    path.unlink()
    if damage == "binary":
        path.write_bytes(b"\xff\xfe\x00")
    elif damage == "pipe":
        os.mkfifo(path)
    elif damage == "link":
        path.with_name("elsewhere").write_bytes(content)
        path.symlink_to("elsewhere")
    elif damage == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif damage == "writable for all":
        path.write_bytes(content)
        path.chmod(0o666)
    elif damage == "of another user":
        path.write_bytes(content)
        os.chown(path, 12345, 12345)


NEEDS = {"pipe": hasattr(os, "mkfifo"), "of another user": hasattr(os, "geteuid") and os.geteuid() == 0}


@pytest.mark.skipif(os.name != "posix", reason="needs the files of POSIX")
@pytest.mark.parametrize("damage", ["binary", "pipe", "link", "huge", "writable for all", "of another user"])
def test_what_is_no_file_of_ours_is_derived_again(tmp_path, damage):
    if not NEEDS.get(damage, True):
        pytest.skip("this system or user cannot make one")
    good = theory("mlp", ["V"], 1, store=Store(tmp_path))
    place_of(Store(tmp_path).path(good.network, 0, pure_type(2)[0], 0), damage)
    check_derived_again(tmp_path, good)


def test_a_folder_in_the_place_of_an_entry_is_left_alone(tmp_path):
    good = theory("mlp", ["V"], 1, store=Store(tmp_path))
    path = Store(tmp_path).path(good.network, 0, pure_type(2)[0], 0)
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match="derived again"):
        assert theory("mlp", ["V"], 1, store=Store(tmp_path)) == good
    assert path.is_dir()


def test_entries_whose_contents_were_exchanged_are_noticed(tmp_path):
    good = theory("mlp", "all", 1, store=Store(tmp_path))
    store = Store(tmp_path)
    first, second = (store.path(good.network, node.sublayer, node.kind, node.order) for node in good.nodes[:2])
    one, two = json.loads(first.read_text()), json.loads(second.read_text())
    for name in ("diagrams", "sha256"):
        one[name], two[name] = two[name], one[name]
    first.write_text(json.dumps(one))
    second.write_text(json.dumps(two))
    with pytest.warns(UserWarning, match="its checksum is wrong"):
        assert theory("mlp", "all", 1, store=Store(tmp_path)) == good
    first.write_text(resealed(json.loads(first.read_text()), json.loads(second.read_text())["diagrams"]))
    with pytest.warns(UserWarning, match="of something else"):
        assert theory("mlp", "all", 1, store=Store(tmp_path)) == good


@pytest.mark.skipif(os.name != "posix", reason="needs the modes of POSIX")
def test_a_folder_that_others_can_write_to_is_not_used(tmp_path):
    good = theory("mlp", ["V"], 1, store=Store(tmp_path))
    tmp_path.chmod(0o777)
    path = Store(tmp_path).path(good.network, 0, pure_type(2)[0], 0)
    content = path.read_bytes().replace(b"1/4", b"1/8")
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="is not used: .* can be written by others"):
        assert theory("mlp", ["V"], 1, store=Store(tmp_path)) == good
    assert path.read_bytes() == content


@pytest.mark.skipif(os.name != "posix", reason="needs the modes of POSIX")
def test_the_folder_and_its_entries_are_for_this_user_alone(tmp_path):
    theory("mlp", ["V"], 0, store=Store(tmp_path / "a" / "b"))
    made = list((tmp_path / "a").rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [tmp_path / "a", *made] if path.is_dir()} == {0o700}


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
from pertheory.theory import theory
from pertheory.store import Store
theory("residual", "all", 2, store=Store(sys.argv[1]), limit=None)
"""


def test_a_run_killed_at_random_moments_loses_nothing_that_was_finished(tmp_path):
    chance = random.Random(7)
    counts = []
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stderr=subprocess.PIPE)
        # some work further on, however fast the machine is
        enough = len(list(tmp_path.rglob("*.json"))) + chance.randrange(1, 30)
        while process.poll() is None and len(list(tmp_path.rglob("*.json"))) < enough:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.01)
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


def test_a_folder_that_cannot_be_written_costs_a_warning_and_not_the_result(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="--no-cache") as caught:
        assert theory("mlp", "all", 1, store=Store(tmp_path / "file")) == theory("mlp", "all", 1)
    assert len(caught) == 1
