import pytest
import torch
from torch.nn import functional as F

from vcn_ray.adapt.head import PaperHead, ResidualHead

_BASE = torch.randn(200, 16, generator=torch.Generator().manual_seed(0)) * 9 + 4


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_residual_head_starts_as_the_standardised_base_model():
    head = ResidualHead(16, _generator(), _BASE)
    out = head(_BASE)
    assert torch.allclose(out.norm(dim=1), torch.full((200,), 4.0), atol=1e-4)
    centred = F.normalize(_BASE, dim=1) - F.normalize(_BASE, dim=1).mean(0)
    assert torch.allclose(F.cosine_similarity(out, centred), torch.ones(200), atol=1e-5)


def test_residual_head_ignores_the_length_of_an_embedding():
    head = ResidualHead(16, _generator(), _BASE)
    assert torch.allclose(head(_BASE), head(_BASE * 7.5), atol=1e-4)


def test_every_layer_of_the_residual_head_learns_after_its_first_step():
    head = ResidualHead(16, _generator(), _BASE)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        head(_BASE)[:, 0].square().mean().backward()
        optimizer.step()
    assert all(layer.weight.grad.abs().max() > 0 for layer in head.linear_layers())


def test_paper_head_is_three_random_layers_on_the_raw_embedding():
    head, same, other = PaperHead(16, _generator()), PaperHead(16, _generator()), PaperHead(16, _generator(1))
    assert len(head.linear_layers()) == 3
    assert head(_BASE).shape == (200, 16)
    assert torch.equal(head(_BASE), same(_BASE))
    assert not torch.allclose(head(_BASE), other(_BASE))
    assert not torch.allclose(head(_BASE), head(_BASE * 7.5))


def test_a_lead_does_not_take_the_mean_where_characters_count_the_same():
    lead, extra = torch.eye(16)[0], torch.eye(16)[1]
    crops = torch.stack([lead] * 9 + [extra])
    head = ResidualHead(16, _generator(), crops)
    assert head.mean[0] == pytest.approx(0.9)
    head.centre(crops, torch.tensor([1.0] * 9 + [9.0]))
    assert head.mean[:2].tolist() == pytest.approx([0.5, 0.5])
