"""Where one machine is outgrown: the same closed set on a dask.distributed cluster (here a local one)."""

from distributed import Client, LocalCluster

from pertheory.store import Store
from pertheory.theory import theory


def test_a_dask_cluster_gives_the_same_diagrams(tmp_path):
    alone = theory("mlp", "all", 2)
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            local_directory=str(tmp_path / "scratch"),
        ) as cluster,
        Client(cluster) as client,
    ):
        spread = theory("mlp", "all", 2, executor=client.get_executor(), store=Store(tmp_path / "store"))
    assert list(spread.diagrams.items()) == list(alone.diagrams.items())
    assert len(list((tmp_path / "store").rglob("*.json"))) == len(alone.nodes)
