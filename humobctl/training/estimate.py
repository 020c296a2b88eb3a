"""What a training will take, from a few of its own steps: time, peak memory, disk."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass

import numpy as np

from humobctl.console import report
from humobctl.training.recipe import Training

_TRIED, _SECONDS = 10, 20.0
"""Steps that are timed, at most, and how long that may last."""


@dataclass(frozen=True)
class TrainingEstimate:
    """What a training takes.

    Attributes:
        step: seconds of a step.
        total: seconds of all: reading, steps, validations, checkpoints, what comes after.
        finish: seconds of what comes after the last step.
        memory: most bytes of memory of the process.
        checkpoint, model: bytes of a state and of the model.
    """

    step: float
    total: float
    finish: float
    memory: int
    checkpoint: int
    model: int

    def __str__(self) -> str:
        """Three lines."""
        whole = 2 * self.checkpoint + self.model
        return (
            f"time: about {report.clock(self.total)} on this machine as busy as it is now, "
            f"{report.rate(1, self.step, 'steps')}; {report.clock(self.finish)} of it after the "
            "last step\n"
            f"memory: about {size(self.memory)} at the peak\n"
            f"disk: about {size(whole)}: {size(self.checkpoint)} a checkpoint, two of which are "
            f"there while one is written, and {size(self.model)} the model"
        )


def estimate(training: Training, reading: float, checkpoint_seconds: float) -> TrainingEstimate:
    """Take some steps of a training that goes no further, and what comes after them in small.

    Args:
        training: before its first step.
        reading: seconds that it took to read the data.
        checkpoint_seconds: between two checkpoints, at most.
    """
    plan = training.plan
    before = peak_memory()
    first, steps = _time_steps(training)
    ragged = _growth(plan.steps) * (peak_memory() - before) if training.ragged else 0.0
    training.keep_best()
    costs = training.rehearse()
    checkpoint, model = training.sizes()
    validations = -(-plan.steps // plan.evaluate_every)
    training_seconds = plan.steps * steps + validations * costs.validation
    writes = validations + training_seconds / checkpoint_seconds
    saving = writes * checkpoint / _BYTES_A_SECOND
    return TrainingEstimate(
        step=steps,
        total=reading + first + training_seconds + saving + costs.finish,
        finish=costs.finish,
        memory=peak_memory() + costs.memory + round(ragged),
        checkpoint=checkpoint,
        model=model,
    )


_RAGGED, _FEW, _MANY = 0.9, 30, 440


def _growth(steps: int) -> float:
    """What batches of ever other lengths add to the memory of the steps that were tried.

    Memory that is given back is kept, in pieces (``native.keep_memory``): bert-moe ``small`` on 100
    users grows from 1.3 GB after 10 steps to 1.6 after 60 and 2.1 after 223, on 200 users it is at
    1.7 after 60 and 2.8 after 440.

    Returns:
        A fraction of the steps' own memory: 0 for few steps, rising with their logarithm.
    """
    return _RAGGED * min(max(math.log(steps / _FEW) / math.log(_MANY / _FEW), 0.0), 1.0)


_BYTES_A_SECOND = 500e6
"""What a disk writes."""


def _time_steps(training: Training) -> tuple[float, float]:
    """What the first step takes beyond others, and a step: the mean of some from all over."""
    steps, started = training.plan.steps, time.monotonic()
    seconds: list[float] = []
    with report.progress("timing steps, which train nothing", None, "steps") as ticker:
        ticker.beat()
        training.try_step(training.heaviest_step())
        first = time.monotonic() - started
        ticker.advance()
        for number in np.unique(np.linspace(0, steps - 1, _TRIED).astype(int)).tolist():
            started = time.monotonic()
            training.try_step(number)
            seconds.append(time.monotonic() - started)
            ticker.advance()
            if sum(seconds) > _SECONDS:
                break
    mean = float(np.mean(seconds))
    return max(0.0, first - mean), mean


def peak_memory() -> int:
    """Most bytes of memory that this process has had."""
    import resource  # noqa: PLC0415 - POSIX alone has it

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def size(count: int) -> str:
    """Bytes in words."""
    for unit, one in (("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{count / one:.2f} {unit}" if unit == "GB" else f"{count / one:.0f} {unit}"
    return f"{count / 1e3:.0f} kB"
