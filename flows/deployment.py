"""How the flow is offered on a server: under which name, with which combinations in its form, and how to start a run."""

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
from prefect import get_client
from prefect.client.schemas.actions import DeploymentUpdate
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound

from vd_core.errors import InputError

FOLDER = "folder: "
LOOK_SECONDS = 3.0


def offer_combinations(deployment: RunnerDeployment, combinations: list[str]) -> None:
    """Let the run form list these combinations."""
    deployment._parameter_openapi_schema.properties["combination"]["enum"] = combinations


def keep_offering(deployment: str, read: Callable[[], list[str]], offered: list[str]) -> None:
    """Let the form of a served `deployment` list what `read` finds, for ever: combinations come and go while it is served.

    A file that is just being edited, and a server that does not answer, are passed over until the next look.
    """
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            if (found := read()) != offered:
                offer_again(deployment, found)
                offered = found
        except (InputError, ObjectNotFound, httpx.HTTPError):
            continue


def offer_again(deployment: str, combinations: list[str]) -> None:
    """Let the form of a deployment that is on the server list these combinations."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        schema = found.parameter_openapi_schema or {}
        schema["properties"]["combination"]["enum"] = combinations
        client.update_deployment(found.id, DeploymentUpdate(parameter_openapi_schema=schema))


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
