"""Tests of the files in tuning/cluster, as far as possible without a cloud.

Ray's own code for preparation, schema and KubeRay reads the files. Ray's AWS provider starts their
machines on a simulated EC2. A shell and Ray's command line parse their commands. Ray's wheel does
not contain the Kubernetes schema of RayCluster: the pods are checked against a part written here.
"""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import tuning.execution.ray_import  # noqa: F401  (sets Ray's environment, so it comes first)

# isort: split
import jsonschema
import pytest
import yaml
from ray.autoscaler._private.kuberay.autoscaling_config import (
    _derive_autoscaling_config_from_ray_cr as derive,
)
from ray.autoscaler._private.providers import _get_node_provider, _get_node_provider_cls
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tuning" / "cluster"
CLOUDS = ("aws", "gcp")
TOKEN = "~/.score-studies/ray.token"
PINS = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())


def load(name):
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


def prepared(cloud):
    config = prepare_config(load(cloud))
    validate_config(config)
    return config


def ray_cluster(name):
    """Returns the RayCluster of either KubeRay file, as the operator would create it."""
    document = load(name)
    if document["kind"] == "RayCluster":
        return document
    metadata = {"name": "made", "namespace": document["metadata"]["namespace"]}
    return {"metadata": metadata, "spec": document["spec"]["rayClusterSpec"]}


def commands(config):
    keys = [key for key in config if key.endswith("_commands")]
    return [command for key in keys for command in config[key]]


# -- clusters started by ray up -------------------------------------------------------------------


@pytest.mark.parametrize("cloud", CLOUDS)
def test_ray_accepts_the_file_and_would_refuse_a_wrong_one(cloud):
    prepared(cloud)
    with pytest.raises(jsonschema.ValidationError, match="idle_timeout"):
        validate_config(prepare_config(load(cloud) | {"idle_timeout": 5}))
    with pytest.raises(ValueError, match="max_workers"):
        changed = load(cloud) | {"max_workers": 0}
        changed["available_node_types"]["gpu_spot"]["min_workers"] = 1
        validate_config(prepare_config(changed))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_workers_are_gpu_spot_machines_from_none_to_n_and_the_head_runs_no_job(cloud):
    config = prepared(cloud)
    head, worker = (config["available_node_types"][name] for name in ("head", "gpu_spot"))
    assert config["head_node_type"] == "head" and len(config["available_node_types"]) == 2
    assert head["resources"] == {"CPU": 0} and head["max_workers"] == 0
    assert worker["resources"]["GPU"] == 1 and worker["resources"]["CPU"] >= 2
    assert worker["min_workers"] == 0 < worker["max_workers"] == config["max_workers"]
    assert 0 < config["idle_timeout_minutes"] <= 10
    spot = {"aws": ("InstanceMarketOptions", "MarketType", "spot")}.get(
        cloud, ("scheduling", "provisioningModel", "SPOT")
    )
    assert worker["node_config"][spot[0]][spot[1]] == spot[2]
    assert spot[0] not in head["node_config"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_head_and_workers_start_with_the_token_of_this_cluster(cloud):
    config = prepared(cloud)
    assert config["file_mounts"][TOKEN] == f"~/.score-studies/{cloud}.token"
    assert f"chmod 0600 {TOKEN}" in config["head_setup_commands"]
    assert f"chmod 0600 {TOKEN}" in config["worker_setup_commands"]
    for kind in ("head", "worker"):
        line = config[f"{kind}_start_ray_commands"][-1]
        assert re.search(r"export [^;]*\bRAY_AUTH_MODE=token ", line)
        assert f" RAY_AUTH_TOKEN_PATH={TOKEN.replace('~', '$HOME')};" in line
        assert line.index("RAY_AUTH_MODE") < line.index("ray start")
    comments = (FOLDER / f"{cloud}.yaml").read_text()
    assert f"umask 077 && mkdir -p ~/.score-studies && openssl rand -hex 32 > ~/.score-studies/{cloud}.token" in comments  # fmt: skip  # noqa: E501


@pytest.mark.filterwarnings("ignore")  # Ray's command line imports all of Ray
@pytest.mark.parametrize("cloud", CLOUDS)
def test_ray_start_knows_its_options_and_the_dashboard_stays_on_the_loopback(cloud):
    from ray.scripts.scripts import start

    config, options = prepared(cloud), {}
    for kind in ("head", "worker"):
        words = shlex.split(config[f"{kind}_start_ray_commands"][-1].rpartition(";")[2])
        assert words[:2] == ["ray", "start"]
        options[kind] = start.make_context("start", words[2:]).params
    assert options["head"]["head"] and options["head"]["dashboard_host"] == "127.0.0.1"
    assert options["worker"]["address"] == f"$RAY_HEAD_IP:{options['head']['port']}"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_shell_can_read_every_command(cloud):
    for command in commands(prepared(cloud)):
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_run_on_a_node_by_hand_finds_the_token(cloud, tmp_path):
    config = prepared(cloud)
    (line,) = [c for c in config["setup_commands"] if ".bashrc" in c]
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for _ in range(2):  # `ray up` repeats the setup when the files change
        subprocess.run(["bash", "-c", line], env=home, check=True)
    assert len((tmp_path / ".bashrc").read_text().splitlines()) == 1
    script = '. ~/.bashrc; echo "$RAY_AUTH_MODE $RAY_AUTH_TOKEN_PATH $PATH"'
    said = subprocess.run(["bash", "-c", script], env=home, check=True, capture_output=True)
    assert said.stdout.decode().strip() == (
        f"token {tmp_path}/.score-studies/ray.token {tmp_path}/venv/bin:/usr/bin:/bin"
    )


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_nodes_get_what_the_installation_reads(cloud):
    config = prepared(cloud)
    code = {remote: local for remote, local in config["file_mounts"].items() if remote != TOKEN}
    assert all(remote == f"~/score-studies/{local}" for remote, local in code.items())
    assert all((ROOT / local).exists() for local in code.values())
    assert set(code.values()) == let_in("Dockerfile.dockerignore")
    (install,) = [c for c in config["setup_commands"] if "--editable" in c]
    assert "--constraint ~/score-studies/constraints.txt" in install
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (extra,) = re.findall(r"\$HOME/score-studies\[(\w+)\]", install)
    assert extra in project["project"]["optional-dependencies"]
    assert any("uv venv --seed --python 3.11 " in c for c in config["setup_commands"])


def test_rays_aws_provider_starts_the_head_and_a_spot_worker(tmp_path, monkeypatch):
    import boto3
    import moto

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("HOME", str(tmp_path))  # the provider stores its ssh key there
    config = load("aws")
    region = config["provider"]["region"]
    with moto.mock_aws():
        ec2, iam = boto3.client("ec2", region), boto3.client("iam", region)
        # Names for the lines marked EDIT.
        network = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        group = ec2.create_security_group(GroupName="g", Description="d", VpcId=network)["GroupId"]
        image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        for node_type in config["available_node_types"].values():
            node_type["node_config"] |= {"SecurityGroupIds": [group], "ImageId": image}
            profile = node_type["node_config"]["IamInstanceProfile"]["Name"]
            iam.create_instance_profile(InstanceProfileName=profile)
        config = prepare_config(config)
        provider = _get_node_provider_cls(config["provider"])
        config = provider.fillout_available_node_types_resources(provider.bootstrap_config(config))
        nodes = _get_node_provider(config["provider"], config["cluster_name"])
        for name in ("head", "gpu_spot"):
            node_config = config["available_node_types"][name]["node_config"]
            tags = {"ray-node-type": name, "ray-launch-config": "-", "ray-node-kind": "-"}
            nodes.create_node(node_config, tags, 1)
        made = {
            instance["InstanceType"]: instance
            for reservation in ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
        }
    worker = made.pop(config["available_node_types"]["gpu_spot"]["node_config"]["InstanceType"])
    (head,) = made.values()
    assert worker["InstanceLifecycle"] == "spot" and "InstanceLifecycle" not in head
    assert worker["IamInstanceProfile"]["Arn"].endswith("/score-studies-worker")
    for machine in (head, worker):
        assert [entry["GroupId"] for entry in machine["SecurityGroups"]] == [group]
    found = config["available_node_types"]["gpu_spot"]["resources"]
    assert "accelerator_type:A10G" in found, "the machine's type has the GPU that is promised"


# -- Kubernetes ------------------------------------------------------------------------------------

QUANTITIES = {
    "type": "object",
    "additionalProperties": {"type": "string", "pattern": r"^[0-9]+(m|Mi|Gi)?$"},
}
POD_TEMPLATE = {
    "type": "object", "required": ["spec"], "additionalProperties": False,
    "properties": {"spec": {
        "type": "object", "required": ["containers", "restartPolicy"],
        "additionalProperties": False,
        "properties": {
            "serviceAccountName": {"type": "string"},
            "restartPolicy": {"const": "Never"},
            "containers": {"type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["name", "image", "resources"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "image": {"type": "string"},
                    "resources": {
                        "type": "object", "required": ["requests", "limits"],
                        "additionalProperties": False,
                        "properties": {"requests": QUANTITIES, "limits": QUANTITIES},
                    },
                    "ports": {"type": "array", "items": {
                        "type": "object", "required": ["containerPort"],
                        "additionalProperties": False,
                        "properties": {
                            "containerPort": {"type": "integer"}, "name": {"type": "string"},
                        },
                    }},
                    "volumeMounts": {"type": "array", "items": {
                        "type": "object", "required": ["name", "mountPath"],
                        "additionalProperties": False,
                        "properties": {
                            "name": {"type": "string"}, "mountPath": {"type": "string"},
                        },
                    }},
                },
            }},
            "volumes": {"type": "array", "items": {
                "type": "object", "required": ["name", "emptyDir"],
            }},
            "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}},
            "tolerations": {"type": "array", "items": {
                "type": "object", "additionalProperties": False,
                "required": ["key", "operator", "effect"],
                "properties": {
                    "key": {"type": "string"}, "operator": {"enum": ["Equal", "Exists"]},
                    "value": {"type": "string"},
                    "effect": {"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]},
                },
            }},
        },
    }},
}  # fmt: skip
"""The part of Kubernetes' pod template that the files use; any other field fails."""


@pytest.mark.parametrize("name", ["kuberay-cluster", "kuberay-job"])
def test_the_autoscaler_derives_gpu_workers_from_none_to_n_and_a_head_without_jobs(name):
    config = derive(ray_cluster(name))  # also checks Ray's schema
    head, worker = (config["available_node_types"][group] for group in ("headgroup", "gpu-spot"))
    assert head["resources"]["CPU"] == 0 and "GPU" not in head["resources"]
    assert worker["resources"]["GPU"] == 1 and worker["resources"]["CPU"] >= 2
    assert worker["min_workers"] == 0 < worker["max_workers"] == config["max_workers"]
    assert config["idle_timeout_minutes"] == 5


@pytest.mark.parametrize("name", ["kuberay-cluster", "kuberay-job"])
def test_the_cluster_has_a_token_of_its_own_and_the_second_autoscaler(name):
    spec = ray_cluster(name)["spec"]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["enableInTreeAutoscaling"] and spec["autoscalerOptions"]["version"] == "v2"
    assert spec["rayVersion"] == PINS["ray"]
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"


@pytest.mark.parametrize("name", ["kuberay-cluster", "kuberay-job"])
def test_pods_have_the_right_shape_and_tolerate_spot_nodes(name):
    spec = ray_cluster(name)["spec"]
    (worker,) = spec["workerGroupSpecs"]
    images = set()
    for group in (spec["headGroupSpec"], worker):
        jsonschema.validate(group["template"], POD_TEMPLATE)
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        images.add(container["image"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
        assert container["resources"]["requests"] == container["resources"]["limits"]
    assert len(images) == 1 and images.pop() in (FOLDER / "Dockerfile").read_text()
    pod = worker["template"]["spec"]
    tolerated = {toleration["key"] for toleration in pod["tolerations"]}
    assert tolerated == {"nvidia.com/gpu", *pod["nodeSelector"]}


def test_the_jobs_cluster_is_the_standing_cluster():
    assert load("kuberay-job")["spec"]["rayClusterSpec"] == load("kuberay-cluster")["spec"]


def test_the_job_ends_its_cluster_and_is_tried_again():
    spec = load("kuberay-job")["spec"]
    assert spec["shutdownAfterJobFinishes"] is True and spec["backoffLimit"] > 0
    submitted = load("runtime_env")
    assert yaml.safe_load(spec["runtimeEnvYAML"]) == {"env_vars": submitted["env_vars"]}


# -- all files -------------------------------------------------------------------------------------


def let_in(ignore_file):
    lines = (FOLDER / ignore_file).read_text().splitlines()
    return {line.removeprefix("!") for line in lines if line.startswith("!")}


def test_the_image_has_this_python_and_the_pinned_packages():
    lines = (FOLDER / "Dockerfile").read_text()
    assert re.search(r"^FROM python:3\.11-", lines, re.M)
    assert '--constraint constraints.txt ".[cluster]"' in lines
    assert re.search(r"^USER ray$", lines, re.M), "not as root"
    packages = {p.removeprefix("!/") for p in load("runtime_env")["excludes"] if p[0] == "!"}
    assert packages - {"."} < let_in("Dockerfile.dockerignore")


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda p: p.name)
def test_no_file_holds_a_secret_or_opens_a_port_to_all(path):
    text = path.read_text()
    secret = r"AKIA[0-9A-Z]{16}|PRIVATE KEY|[0-9a-f]{40,}|(?i:password|secret_?key)\s*[:=]\s*\S"
    assert not re.search(secret, text)
    values = "\n".join(line.split("#")[0] for line in text.splitlines())
    assert "0.0.0.0" not in values and "LoadBalancer" not in values
    assert not re.search(r"RAY_AUTH_TOKEN\b", values), "a token belongs into a file or a Secret"


def test_the_documentation_names_files_that_are_there():
    text = (ROOT / "docs" / "clusters.md").read_text()
    files = re.findall(r"tuning/cluster/[\w.-]+\w", text)
    assert files and all((ROOT / name).is_file() for name in files)
