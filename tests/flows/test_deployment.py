"""The deployment's form, its command line, and its name where another checkout has it."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect import flow
from prefect.deployments.runner import RunnerDeployment
from prefect.testing.utilities import prefect_test_harness
from typer.testing import CliRunner

import flows.full
from flows.deployment import describe_start, name_deployment, offer_combinations, tag_of
from flows.serve import main


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


def test_every_field_of_the_run_form_is_explained() -> None:
    """Prefect drops the descriptions of Annotated fields: the form had no word."""
    schema = flows.full.full.to_deployment("full")._parameter_openapi_schema.model_dump()["properties"]
    assert list(schema) == ["combination", "approval", "wait_days", "debug"]
    assert all(len(field["description"]) > 20 for field in schema.values())
    assert schema["approval"]["enum"] == ["ask", "auto", "skip"]
    assert schema["wait_days"]["exclusiveMinimum"] == 0


def test_the_form_offers_the_combinations() -> None:
    @flow
    def one(combination: str = "toys") -> None: ...

    deployment = RunnerDeployment.from_flow(one, name="full")
    offer_combinations(deployment, ["toys", "pets"])
    assert deployment._parameter_openapi_schema.properties["combination"]["enum"] == ["toys", "pets"]


def test_the_command_line_has_every_parameter_of_the_deployment() -> None:
    said = CliRunner().invoke(flows.full.cli, ["run", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    for name in inspect.signature(flows.full.full.fn).parameters:
        assert f"--{name.replace('_', '-')}" in said
    assert "PREFECT_API_URL" in (main.__doc__ or "")


def test_the_printed_command_names_its_server_and_program() -> None:
    said = describe_start("http://127.0.0.1:4321/api", "videodreamer/full", "pets")
    command = re.search(r"PREFECT_API_URL=(\S+) (\S+) deployment run videodreamer/full -p combination=pets", said)
    assert command and command[1] == "http://127.0.0.1:4321/api"
    assert Path(command[2]).is_file()


def test_a_second_checkout_gets_a_deployment_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Two checkouts had one deployment: runs for one were executed in the other."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    assert name_deployment("videodreamer", "full", first) == "full"
    RunnerDeployment.from_flow(flows.full.full, name="full", tags=[tag_of(first)]).apply()
    assert name_deployment("videodreamer", "full", first) == "full"
    other = name_deployment("videodreamer", "full", second)
    assert re.fullmatch(r"full-[0-9a-f]{6}", other)
    assert f"videodreamer/full on this server runs in {first}" in capsys.readouterr().out
    first.rmdir()
    assert name_deployment("videodreamer", "full", second) == "full"  # nobody can serve from a folder that is gone


def test_runs_are_named_for_their_combination() -> None:
    assert flows.full.full.flow_run_name == "{combination}"
