"""The network: its loss written out, what it may see, and its model dir."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
import torch

from humobctl.predict.bert_moe.config import paper, tiny
from humobctl.predict.bert_moe.model import IGNORE, BertMoe, BertMoeConfig

SETTINGS = replace(tiny(), location_ids=50, dropout=0.0, load_balance=0.0)
FEATURES = {"day": 136, "time": 48, "dow": 7, "weekday": 2, "gap_before": 28, "gap_after": 28}


def network(**changes) -> BertMoe:
    torch.manual_seed(0)
    config = BertMoeConfig(settings=asdict(replace(SETTINGS, **changes)), cities=["a"])
    return BertMoe(config).eval()


def batch(past=7, ahead=5, size=3, seed=1) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    made = {k: torch.randint(0, n, (size, past + ahead)) for k, n in FEATURES.items()}
    made["location"] = torch.randint(0, 50, (size, past))
    made["labels"] = torch.randint(0, 50, (size, ahead))
    made["city"] = torch.tensor([0, 1, 1])[:size]
    return made


def padded(inputs, by):
    """The same windows with ``by`` rows before them that are not there."""
    size, length = inputs["day"].shape
    made = {
        k: torch.nn.functional.pad(v, (by, 0), value=1) if k in (*FEATURES, "location") else v
        for k, v in inputs.items()
    }
    made["mask"] = torch.cat([torch.zeros(size, by), torch.ones(size, length)], dim=1).bool()
    return made


def test_the_loss_is_that_of_the_mixture_written_out():
    net, inputs = network(), batch()
    inputs["labels"][0, 3:] = IGNORE
    with torch.no_grad():
        out = net(**inputs)
        rows, _ = net.mix_experts(out.states.flatten(0, 1))
        p_new = net.output_projection(rows).softmax(-1).view(3, 5, 50)
    total, count = 0.0, 0
    for i, window in enumerate(inputs["labels"].tolist()):
        for j, cell in enumerate(window):
            if cell == IGNORE:
                continue
            copied = sum(
                out.copied[i, j, place].item()
                for place, there in enumerate(inputs["location"][i].tolist())
                if there == cell
            )
            p = copied + out.generated[i, j].item() * p_new[i, j, cell].item()
            total -= torch.tensor(p).log().item()
            count += 1
    assert count == 13
    assert out.loss.item() == pytest.approx(total / count, rel=1e-5)
    mass = out.copied.sum(-1) + out.generated
    torch.testing.assert_close(mass, torch.ones_like(mass))


def test_the_mean_is_over_the_rows_of_the_whole_step():
    net, inputs = network(), batch()
    with torch.no_grad():
        whole = net(**inputs).loss.item()
        parts = [
            net(**{k: v[i : i + 1] for k, v in inputs.items()}, num_items_in_batch=15).loss.item()
            for i in range(3)
        ]
    assert sum(parts) == pytest.approx(whole, rel=1e-5)


def test_visited_cells_keep_the_scores_that_they_have_among_themselves():
    net, inputs = network(copy_heads=0), batch()
    some = torch.tensor([2, 3, 5, 7, 11, 13])
    inputs["labels"] = some[torch.randint(0, 6, inputs["labels"].shape)]
    with torch.no_grad():
        rows, _ = net.mix_experts(net(**inputs).states.flatten(0, 1))
        logits = net.output_projection(rows).view(3, 5, 50)
        among = logits - logits[..., some].logsumexp(-1, keepdim=True)
        wanted = -among.gather(2, inputs["labels"].unsqueeze(2)).mean().item()
        net.restrict(some)
        assert net.cells().tolist() == some.tolist()
        assert net(**inputs).loss.item() == pytest.approx(wanted, rel=1e-5)


def test_a_label_outside_of_the_visited_cells_can_only_be_copied():
    net, inputs = network(), batch(size=1)
    net.restrict(torch.arange(10))
    inputs["labels"][:] = 20
    inputs["location"][:] = 20
    with torch.no_grad():
        out = net(**inputs)
    assert out.loss.item() == pytest.approx(-out.copied.sum(-1).log().mean().item(), rel=1e-5)


def test_padding_changes_nothing():
    net, inputs = network(), batch()
    with torch.no_grad():
        plain, wide = net(**inputs), net(**padded(inputs, 4))
    assert wide.loss.item() == pytest.approx(plain.loss.item(), rel=1e-5)
    assert (wide.copied[:, :, :4] == 0).all()
    torch.testing.assert_close(wide.copied[:, :, 4:], plain.copied)


def test_a_window_without_a_past_is_left_to_the_generator():
    net, inputs = network(), padded(batch(past=3, size=1), 0)
    inputs["mask"][:, :3] = False
    with torch.no_grad():
        out = net(**inputs)
    assert out.copied.max().item() < 1e-6
    torch.testing.assert_close(out.generated, torch.ones_like(out.generated))


def test_the_true_cells_are_not_seen():
    net, inputs = network(), batch()
    other = {**inputs, "labels": inputs["labels"].flip(0)}
    with torch.no_grad():
        assert torch.equal(net(**inputs).states, net(**other).states)


@pytest.mark.parametrize(
    "changes", [{}, {"copy_heads": 0}, {"model_name": "MobilityBERT"}, {"top_k": 1}]
)
def test_a_model_dir_holds_it_all(tmp_path, changes):
    net, inputs = network(**changes), batch()
    net.restrict(torch.arange(0, 50, 2))
    inputs["labels"] //= 2
    inputs["labels"] *= 2
    net.config.blend = 0.25
    net.save_pretrained(tmp_path)
    again = BertMoe.from_pretrained(tmp_path).eval()
    assert (again.config.blend, again.config.cities) == (0.25, ["a"])
    assert again.settings == net.settings
    with torch.no_grad():
        assert torch.equal(net(**inputs).loss, again(**inputs).loss)


def test_bf16_is_close_to_fp32():
    net, inputs = network(), batch()
    with torch.no_grad():
        exact = net(**inputs).loss.item()
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(**inputs).loss.item()
    assert rough == pytest.approx(exact, rel=0.02)
    assert rough != exact


def test_the_published_sizes():
    settings = replace(paper(), feed_forward=12)
    with torch.device("meta"):
        net = BertMoe(BertMoeConfig(settings=asdict(settings), cities=["a"]))
    # 66.7 million with the published code's second input layer, which ours has no need of.
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(66.7e6, rel=0.005)


def test_it_learns_a_window_by_heart():
    net, inputs = network(), batch()
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.02)
    first = net(**inputs).loss.item()
    for _ in range(80):
        loss = net(**inputs).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert loss.item() < 0.15 * first


@pytest.mark.parametrize("copy_heads", [0, 2])
def test_the_encoder_is_that_of_transformers_whatever_is_left_out(copy_heads):
    net, inputs = network(copy_heads=copy_heads), padded(batch(), 3)
    kept = {}
    net.entry.register_forward_hook(lambda _module, _inputs, out: kept.update(rows=out))
    states = net(**inputs).states
    with torch.no_grad():
        start, length = net.settings.input_length - 10, kept["rows"].shape[1]
        position = torch.arange(start, start + length)
        net.bert.config._attn_implementation = "eager"  # ours takes the mask that forward makes
        whole = net.bert(
            inputs_embeds=kept["rows"],
            attention_mask=inputs["mask"],
            token_type_ids=(position >= net.settings.input_length).long().expand(3, -1),
            position_ids=position[None, :],
        ).last_hidden_state
    assert states.shape == (3, 5, net.settings.hidden_size)
    assert torch.allclose(states, whole[:, 10:], atol=1e-5)
