"""How the flow is offered on a server: under which name, with which combinations in its form, and how to start a run."""

import hashlib
import sys
from pathlib import Path

from prefect import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound

FOLDER = "folder: "


def offer_combinations(deployment: RunnerDeployment, combinations: list[str]) -> None:
    """Let the run form list these combinations. The flow itself takes others too: one that is added while this serves can be run."""
    deployment._parameter_openapi_schema.properties["combination"]["enum"] = combinations


def tag_of(folder: Path) -> str:
    """The tag that says in which folder a deployment's runs are made."""
    return f"{FOLDER}{folder}"


def name_deployment(flow: str, name: str, folder: Path) -> str:
    """`name`, or one of this folder's own if another checkout has that on the server, which is said."""
    other = read_folder(f"{flow}/{name}")
    if other is None or other == folder or not other.exists():
        return name
    own = f"{name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:6]}"
    print(f"{flow}/{name} on this server runs in {other}; the deployment of {folder} is {flow}/{own}", flush=True)
    return own


def read_folder(deployment: str) -> Path | None:
    """The folder in which a deployment's runs are made; None if there is no such deployment, or it does not say."""
    with get_client(sync_client=True) as client:
        try:
            tags = client.read_deployment_by_name(deployment).tags
        except ObjectNotFound:
            return None
    return next((Path(tag.removeprefix(FOLDER)) for tag in tags if tag.startswith(FOLDER)), None)


def describe_start(api_url: str, deployment: str, combination: str) -> str:
    """How to start a run, in any shell."""
    prefect = Path(sys.executable).with_name("prefect")
    command = f"PREFECT_API_URL={api_url} {prefect} deployment run {deployment} -p combination={combination}"
    return f"start a run in the UI, or in another shell:\n  {command}\nCtrl-C ends this"
