"""Predictions of the recurrent network of next places."""

from __future__ import annotations

import numpy as np
import torch

from humobctl.native import Floats
from humobctl.predict.next.city import NextCity
from humobctl.predict.next.data import UserRecords
from humobctl.predict.next.evidence import Evidence
from humobctl.predict.next.features import NAMES, encode
from humobctl.predict.next.model import check_features
from humobctl.predict.next_gru.config import NextGruSettings
from humobctl.predict.next_gru.data import Vocabulary, make_rows
from humobctl.predict.next_gru.model import NextGruNetwork
from humobctl.training.device import torch_device
from humobctl.training.model_dir import Checkpoint, clear_damage
from humobctl.training.settings import from_record


class NextGru:
    """A trained network in a city."""

    def __init__(
        self,
        city: NextCity,
        network: NextGruNetwork,
        vocabulary: Vocabulary,
        settings: NextGruSettings,
        elsewhere: float,
    ) -> None:
        self.city, self.network, self.vocabulary = city, network.eval(), vocabulary
        self.settings, self.elsewhere = settings, elsewhere
        self._places = vocabulary.number_places(city.places)

    @torch.no_grad()
    def probabilities(self, user: UserRecords, found: Evidence) -> Floats:
        """Probability of each candidate, shape (r, k + N)."""
        rows = make_rows(
            user,
            found.wanted,
            encode(found, self.city),
            found.candidates,
            (self._places, self.vocabulary.number_user(user.uid)),
            self.settings.past_records,
            rolling=found.rolling,
        )
        device = self.network.mean.device
        shares = self.network(rows.to(device)).softmax(dim=-1).cpu().numpy().astype(np.float64)
        result: Floats = shares * (1.0 - self.elsewhere)
        return result


def from_checkpoint(
    checkpoint: Checkpoint, city: NextCity, folder: str, device: str = "auto"
) -> NextGru:
    """The network of a model dir, for one city.

    Raises:
        HumobError: it was trained on other features than this version computes, or is damaged.
    """
    config = checkpoint.config
    check_features(config, folder)
    with clear_damage(folder):
        settings = from_record(NextGruSettings, config["settings"])
        vocabulary = Vocabulary(config["places"], config["users"])
        elsewhere = min(max(float(config["elsewhere"]), 0.0), 1.0)
        network = NextGruNetwork(
            settings, len(NAMES), len(vocabulary.places), len(vocabulary.users)
        )
        arrays = {name: torch.from_numpy(one) for name, one in checkpoint.arrays.items()}
        network.load_state_dict(arrays)
    place = torch_device(device)
    return NextGru(city, network.to(place), vocabulary, settings, elsewhere)
