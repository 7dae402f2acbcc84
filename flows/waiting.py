"""A run that waits for a person shows it where people look: in its name, by a tag, and in an artifact that says where to choose."""

from uuid import UUID

from prefect import get_client, runtime

from flows.artifacts import key_of, put, remove

WAITING = "waiting"
CHOOSE_HERE = "choose-here"


def start_waiting(combination: str, question: str) -> None:
    """Show that the run waits for the answer to `question`, which is Markdown."""
    link = f"**[Choose here]({runtime.flow_run.ui_url}): press Resume** (in the menu ⋮, or a button in the old UI)."
    put(f"{link}\n\n{question}", key_of(combination, CHOOSE_HERE), f"choose pictures of {combination} here")
    with get_client(sync_client=True) as client:
        tags = {*runtime.flow_run.tags, WAITING}
        client.update_flow_run(UUID(runtime.flow_run.id), name=f"{combination}: choose pictures", tags=sorted(tags))


def stop_waiting(combination: str) -> None:
    """Take all that back in a run that waited; Prefect gives a run that goes on its own name again."""
    if WAITING in runtime.flow_run.tags:
        remove(key_of(combination, CHOOSE_HERE))
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(runtime.flow_run.id), tags=sorted({*runtime.flow_run.tags} - {WAITING}))
