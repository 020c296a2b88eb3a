"""What the kernels are told of the processor, beside what the system says of it."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from humobctl import native

CPUINFO = Path("/proc/cpuinfo")
LEVELS = [
    {"avx", "avx2", "fma"},
    {"avx512f", "avx512dq", "avx512bw", "avx512vl"},
    {"avx512_bf16"},
]


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPUINFO.exists(),
    reason="only Linux on x86-64 lists these instructions",
)
def test_the_version_to_take_is_the_highest_that_the_system_lists() -> None:
    line = next(line for line in CPUINFO.read_text().splitlines() if line.startswith("flags"))
    flags, level = set(line.split(":")[1].split()), 0
    while level < len(LEVELS) and flags >= LEVELS[level]:
        level += 1
    assert native.processor() == level


@pytest.mark.skipif(platform.machine() == "x86_64", reason="for other processors")
def test_other_processors_take_what_runs_everywhere() -> None:
    assert native.processor() == 0
