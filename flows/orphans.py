"""Runs that read Running although nothing runs them: what served them was stopped, and nobody could say so."""

import psutil
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

RUN_ID = "PREFECT__FLOW_RUN_ID"
SAID = "what served this run was stopped; start it again, and it goes on from what is done"


def end_orphans(deployment: str) -> None:
    """Let the runs of a deployment that no process of this machine runs end: Crashed, or Cancelled if somebody wanted that.

    Only for a server of this machine: elsewhere another machine's process may run them.
    """
    unfinished = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]))
    with get_client(sync_client=True) as client:
        try:
            own = FlowRunFilterDeploymentId(any_=[client.read_deployment_by_name(deployment).id])
        except ObjectNotFound:
            return
        alive = runs_here()
        for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(state=unfinished, deployment_id=own)):
            if str(run.id) not in alive:
                cancelled = run.state is not None and run.state.is_cancelling()
                client.set_flow_run_state(run.id, Cancelled(message=SAID) if cancelled else Crashed(message=SAID), force=True)
                print(f"run '{run.name}': {SAID}", flush=True)


def runs_here() -> set[str]:
    """The ids of the runs that this machine's processes run."""
    found = set()
    for process in psutil.process_iter():
        try:
            found.add(process.environ().get(RUN_ID, ""))
        except psutil.Error:  # it ended meanwhile, or belongs to somebody else
            continue
    return found
