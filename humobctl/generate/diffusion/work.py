"""The generation of a part of people, wherever it is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from humobctl.execution.task import Done, Moved, Worker
from humobctl.generate.diffusion.counts import DiffusionTally
from humobctl.training.device import set_up

if TYPE_CHECKING:
    from humobctl.generate.diffusion.generate import Job


@dataclass(frozen=True)
class Work:
    """The visits of some people, wherever they are drawn.

    Attributes:
        job: what to do; its tally is left alone.
    """

    job: Job

    @property
    def device(self) -> str:
        """Where to sample."""
        return self.job.model.device

    def open(self) -> Worker:
        """Threads and seeds; the model is loaded."""
        set_up(self.job.seed)

        def work(people: pl.DataFrame | tuple[int, int], moved: Moved) -> Done:
            job = replace(self.job, tally=DiffusionTally())
            if isinstance(people, tuple):
                visits, units = job.unplanned(np.arange(*people)), people[1] - people[0]
            else:
                visits, units = job.planned(people), people.height
            moved(units)
            return Done(visits, job.tally.record(), units)

        return work
