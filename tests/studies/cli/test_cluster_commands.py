"""Tests that the command line accepts the commands in tuning/cluster and docs/clusters.md."""

import re
import shlex

from studies.cli.options import parser
from studies.opening.open_study import configured
from tests.tuning.cluster.test_cluster_files import (
    CLOUDS,
    ROOT,
    derive,
    load,
    prepared,
    ray_cluster,
)


def require_cluster_command(command, config, group):
    """Asserts that a command gives the cluster, its maximum size, and a store for all nodes."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "studies.run"]
    args = parser().parse_args(words[3:])
    configured(args.name, args.scale, args.changes)
    worker = config["available_node_types"][group]
    assert args.address == "auto"
    for given, kind in ((args.cpus, "CPU"), (args.gpus, "GPU")):
        assert given == worker["max_workers"] * worker["resources"][kind]
    assert re.match(r"(s3|gs)://", args.store) and args.tracking_uri.startswith("http")


def test_the_jobs_command_is_one_that_the_command_line_takes():
    spec = load("kuberay-job")["spec"]
    require_cluster_command(spec["entrypoint"], derive(ray_cluster("kuberay-job")), "gpu-spot")


def test_the_commands_of_the_documentation_parse():
    text = (ROOT / "docs" / "clusters.md").read_text().replace("\\\n", " ")
    submitted = re.findall(r"^ +ray job submit .* -- +(python .*)$", text, re.M)
    for cloud in CLOUDS:
        require_cluster_command(*submitted, prepared(cloud), "gpu_spot")
    others = re.findall(r"^ +python -m studies\.run (.*?)(?:  +#.*)?$", text, re.M)
    assert len(others) >= 2
    for line in others:
        args = parser().parse_args(shlex.split(line))
        configured(args.name, args.scale, args.changes)
