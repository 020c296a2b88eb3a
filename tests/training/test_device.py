"""Devices and precisions of the models on torch."""

import pytest
import torch

from humobctl.errors import UsageError
from humobctl.training.device import choose_precision, has_bf16, torch_device
from tests.messages import raises


def test_a_device_that_is_not_there_is_a_usage_error():
    with raises(UsageError, "'nowhere'", "auto", "cpu", "cuda"):
        torch_device("nowhere")


@pytest.mark.parametrize(
    ("features", "there"), [({"avx2": True}, False), ({"avx512_bf16": True}, True), ({}, True)]
)
def test_bf16_on_a_processor_without_it_is_warned_about(monkeypatch, capsys, features, there):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)
    cpu = torch.device("cpu")
    assert has_bf16(cpu) is there
    assert choose_precision("auto", cpu) == ("bf16" if there else "fp32")
    assert capsys.readouterr().err == ""
    assert choose_precision("bf16", cpu) == "bf16"
    assert ("bf16" in capsys.readouterr().err) is not there
    assert choose_precision("fp32", cpu) == "fp32"
    assert capsys.readouterr().err == ""
