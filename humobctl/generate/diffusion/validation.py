"""How near sampled days are to those of people who are not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.generated.statistics import SAMPLES
from humobctl.generate.diffusion.data import Known, Scale
from humobctl.generate.diffusion.decode import decode, real_stays, stays_of
from humobctl.generate.diffusion.model import Denoiser
from humobctl.generate.diffusion.process import Process, sampling_of
from humobctl.generate.diffusion.sample import draw, sources_of
from humobctl.tables.stays import Stays

MOST_DAYS = 256
"""Days that are sampled for a score, at most: it is repeated."""
EVALUATIONS = 10
_PLACED = ("jump_distance", "radius")
_TIMED = ("duration", "start")
"""Metrics of days whose times the model makes, too."""


@dataclass(frozen=True)
class Validation:
    """Days to score against.

    Attributes:
        known: of the people who are not trained on.
        condition: of the model.
        scale: of the model.
    """

    known: Known
    condition: str
    scale: Scale

    @property
    def asked(self) -> Known:
        """The days that are sampled."""
        wanted = np.arange(len(self.known.layout)) < MOST_DAYS
        return self.known if wanted.all() else self.known.take(wanted)

    def scores(self, network: Denoiser, process: Process) -> dict[str, float]:
        """Jensen-Shannon divergences by metric, and their mean."""
        ours, theirs = self.sample(network, process, EVALUATIONS)
        names = _PLACED if self.condition != "none" else (*_PLACED, *_TIMED)
        found = {
            name: jsd(SAMPLES[name](ours).sample().counts, SAMPLES[name](theirs).sample().counts)
            for name in names
        }
        return {**found, "jsd": float(np.mean(list(found.values())))}

    def sample(
        self, network: Denoiser, process: Process, evaluations: int | None = None
    ) -> tuple[Stays, Stays]:
        """Days that the network draws for those people, and their real days.

        Args:
            network: the denoiser.
            process: of its settings.
            evaluations: of the network for a day; None for as many as ``generate`` takes.
        """
        known = self.asked
        token = known.tokens(self.condition)
        layout = None if token is None else known.layout
        days = np.arange(len(known.layout))
        sources = sources_of(process.settings.seed, days, days)
        sampling = sampling_of(process.settings, None, evaluations)
        was_training = network.training
        network.eval()
        channels = draw(network, process, sampling, sources, token=token, layout=layout)
        network.train(was_training)
        drawn = decode(channels, self.scale, layout, known.place_class)
        ours = stays_of(drawn.layout, drawn.place_class, drawn.metres)
        return ours, real_stays(known)
