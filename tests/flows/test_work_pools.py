"""What work pools read: prefect.yaml's deployments fit their flows, and the Kubernetes template has a place for each of its variables."""

import inspect
import json
import re
from importlib import import_module

import pytest
import yaml

from tests.helpers.imports import ROOT

DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
TEMPLATE = json.loads((ROOT / "deploy/kubernetes.json").read_text())


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: f"{d['entrypoint'].split(':')[1]}-{d['name']}")
def test_a_deployments_parameters_are_its_flows(deployment: dict) -> None:
    path, name = deployment["entrypoint"].split(":")
    flow = getattr(import_module(path.removesuffix(".py").replace("/", ".")), name)
    given = {k: p.default for k, p in inspect.signature(flow.fn).parameters.items()} | deployment["parameters"]
    assert set(deployment["parameters"]) <= set(flow.parameters.properties)
    flow.validate_parameters(given)
    with pytest.raises(Exception, match="wrong"):
        flow.validate_parameters({**given, "wrong": 1})


def test_every_field_of_the_benchmarks_form_is_explained() -> None:
    from flows.benchmark import benchmark

    assert all(len(field["description"]) > 20 for field in benchmark.parameters.properties.values())


def test_the_kubernetes_templates_variables_are_all_used_and_all_declared() -> None:
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(TEMPLATE["job_configuration"])))
    assert used == set(TEMPLATE["variables"]["properties"])
    own = next(d for d in DEPLOYMENTS if d["name"] == "kubernetes")
    assert set(own["work_pool"]["job_variables"]) <= used and own["parameters"]["store"] == "/studies"
    mounts = TEMPLATE["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert [m["mountPath"] for m in mounts] == ["/studies"] and "VOLUME /studies" in (ROOT / "Dockerfile").read_text()
