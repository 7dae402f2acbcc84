"""What every finetuning shares: the prompts' embeddings of a batch."""

from collections.abc import Iterator

import pytest
import torch

from vd_core.training.step import gather_embeds


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads in torch, as on a user's machine; the other tests have one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_the_embeddings_of_a_batch_are_their_rows():
    embeds = torch.randn(3, 5, 4)
    ids = torch.tensor([2, 0, 2])
    assert torch.equal(gather_embeds(embeds, ids), embeds[ids])


def test_the_gradient_of_a_repeated_prompt_is_the_same_bytes_on_two_threads(two_threads: None):
    generator = torch.Generator().manual_seed(0)
    embeds, weights = torch.randn(3, 48, 192, generator=generator), torch.randn(4, 48, 192, generator=generator)

    def gradient() -> bytes:
        leaf = embeds.clone().requires_grad_()
        (gather_embeds(leaf, torch.tensor([2, 2, 2, 2])) * weights).sum().backward()
        assert leaf.grad is not None
        return leaf.grad.numpy().tobytes()

    assert len({gradient() for _ in range(300)}) == 1
