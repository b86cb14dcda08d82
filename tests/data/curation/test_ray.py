"""The same bytes on a cluster: two nodes of Ray on this machine."""

import pytest

from herd.data import (
    CurationRecipe,
    ExactDedup,
    LimitsConfig,
    LineDedup,
    MinHashDedup,
    PackingConfig,
    RayWorkers,
    SourceConfig,
    curate,
)
from herd.foundation import UserError

pytestmark = [pytest.mark.distributed, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes.add_node(num_cpus=1)
    yield nodes.address
    import ray

    ray.shutdown()
    nodes.shutdown()


def test_two_nodes_write_the_same_bytes_as_one_process(tmp_path, source, digests, cluster):
    recipe = CurationRecipe(
        name="test",
        sources=tuple(SourceConfig(location=str(file)) for file in sorted(source.iterdir())),
        stages=(ExactDedup(), MinHashDedup(), LineDedup()),
        packing=PackingConfig(vocab_size=520),
        limits=LimitsConfig(part_bytes=20_000),
    )
    curate(recipe, tmp_path / "alone")
    curate(recipe, tmp_path / "cluster", workers=RayWorkers(cluster))
    assert digests(tmp_path / "cluster") == digests(tmp_path / "alone")


def test_no_cluster_there_is_one_line():
    with pytest.raises(UserError, match="no Ray cluster at '127.0.0.1:1'"):
        list(RayWorkers("127.0.0.1:1").run(str, ["task"]))
