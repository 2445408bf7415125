"""Runs: the same numbers however they are computed, and what is kept on disk."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import pertheory as pt
from pertheory.rulebook.network import any_rule
from pertheory.rulebook.tensors import find_tensor
from pertheory.simulate.batches import Kept, run
from pertheory.simulate.estimate import BLOCK, Estimators
from pertheory.simulate.setting import make_setting

ROOT = Path(__file__).parents[2]
INPUTS = [[0.8, -0.5], [-0.3, 0.9]]
NETWORKS = 10 * BLOCK


def estimators(names="GV", width=6, seed=1, **hyper):
    setting = make_setting(any_rule("mlp"), INPUTS, "tanh", 3, width, None, hyper)
    return Estimators(setting, tuple(find_tensor(name)[0] for name in names), (2, 3), seed)


@pytest.fixture(scope="module")
def alone():
    return run(estimators(), NETWORKS)


@pytest.mark.parametrize("batch", [1, 192, 10**6])
def test_the_numbers_do_not_depend_on_the_batch(alone, batch):
    np.testing.assert_array_equal(run(estimators(), NETWORKS, batch=batch), alone)


def test_another_seed_and_another_setting_draw_other_networks(alone):
    for other in (estimators(seed=2), estimators(C_b=1e-9)):
        assert not np.any(run(other, NETWORKS) == alone)
    longer = run(estimators(), 2 * NETWORKS)
    np.testing.assert_array_equal(longer[:10], alone)


def test_an_executor_gives_the_same_numbers(alone):
    with ThreadPoolExecutor(2) as executor:
        np.testing.assert_array_equal(run(estimators(), NETWORKS, batch=128, executor=executor), alone)


def test_a_dask_cluster_gives_the_same_numbers(alone, tmp_path):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        Client(cluster) as client,
    ):
        found = run(estimators(), NETWORKS, batch=256, executor=client.get_executor())
    np.testing.assert_array_equal(found, alone)


DEVICES = """
import sys, jax, numpy as np
from tests.simulate.test_runs import NETWORKS, estimators
from pertheory.simulate.batches import run
assert len(jax.devices()) == 2
np.save(sys.argv[1], run(estimators(), NETWORKS, batch=192))
"""


def test_two_devices_give_the_same_numbers(alone, tmp_path):
    """A mesh of two devices, which a processor can play; batches of three blocks leave one over."""
    out = tmp_path / "found.npy"
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    subprocess.run([sys.executable, "-c", DEVICES, out], check=True, cwd=ROOT, env=os.environ | flags)
    np.testing.assert_allclose(np.load(out), alone, rtol=1e-9, atol=1e-12)  # sums may be rounded in another order


def test_a_run_goes_on_from_what_was_kept(alone, tmp_path, monkeypatch):
    """Half of it is drawn; the rest is all that is drawn after that, and nothing in a third run."""
    from pertheory.simulate import batches

    drawn = []
    real = batches.draw

    def counted(own, span):
        drawn.append(span)
        return real(own, span)

    monkeypatch.setattr(batches, "draw", counted)
    run(estimators(), NETWORKS // 2, batch=64, folder=tmp_path)
    assert len(drawn) == 5
    np.testing.assert_array_equal(run(estimators(), NETWORKS, batch=64, folder=tmp_path), alone)
    assert len(drawn) == 10
    np.testing.assert_array_equal(run(estimators(), 0, folder=tmp_path), alone)
    np.testing.assert_array_equal(run(estimators(), NETWORKS, batch=64, folder=tmp_path), alone)
    assert len(drawn) == 10
    run(estimators(), NETWORKS, batch=10**6, folder=tmp_path)  # in one piece, drawn anew
    np.testing.assert_array_equal(run(estimators(), 0, folder=tmp_path), alone)


ENDLESS = """
import sys
from tests.simulate.test_runs import estimators
from pertheory.simulate.batches import run
run(estimators(), 10**6, batch=64, folder=sys.argv[1])
"""


def test_a_kill_loses_no_batch_that_was_finished(alone, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, tmp_path], cwd=ROOT)
    try:
        while len(list(tmp_path.rglob("*.batch"))) < 12:
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    found = run(estimators(), 0, folder=tmp_path)
    np.testing.assert_array_equal(found[:10], alone)
    assert len(found) >= 12


def test_a_damaged_batch_and_an_empty_store_are_one_line(tmp_path):
    own = estimators()
    with pytest.raises(pt.InputError, match="holds no batch of this run") as caught:
        run(own, 0, folder=tmp_path)
    assert "\n" not in str(caught.value)
    run(own, 2 * BLOCK, folder=tmp_path)
    (path,) = tmp_path.rglob("*.batch")
    whole = path.read_bytes()
    assert path.parent == Kept(tmp_path, own).folder
    for damaged in (whole[:-1], whole[:-1] + b"!", b"", b"\xff" * 99, whole.replace(b'"first": 0', b'"first": 2')):
        path.write_bytes(damaged)
        with pytest.raises(pt.InputError, match=r"is damaged .*; delete it, and it is drawn again") as caught:
            run(own, 2 * BLOCK, folder=tmp_path)
        assert "\n" not in str(caught.value)
    path.unlink()
    path.mkdir()
    with pytest.raises(pt.InputError, match=r"batch .*cannot be read"):
        run(own, 2 * BLOCK, folder=tmp_path)


def test_every_new_batch_is_told_and_whoever_is_told_may_stop(tmp_path):
    told = []
    run(estimators(), 4 * BLOCK, batch=128, folder=tmp_path, drawn=lambda *done: told.append(done))
    run(estimators(), 4 * BLOCK, batch=128, folder=tmp_path, drawn=lambda *_: pytest.fail("nothing was drawn"))
    assert told == [(2, 4), (4, 4)]

    def stop(*_):
        raise pt.InputError("enough")

    with pytest.raises(pt.InputError, match="enough"):
        run(estimators(), 8 * BLOCK, batch=128, folder=tmp_path, drawn=stop)
    assert len(run(estimators(), 0, folder=tmp_path)) == 6  # what was drawn by then is kept


def test_numbers_out_of_range_are_refused():
    with pytest.raises(pt.InputError, match="leave the range of doubles"):
        run(estimators(C_W=1e300, C_b=1e300), 2 * BLOCK)
