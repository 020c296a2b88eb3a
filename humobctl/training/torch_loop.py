"""Steps of the networks that torch trains: precision, clipping, schedule, processes, state.

A state is one file of tensors, ``state.safetensors``: weights, the optimiser's moments, the random
numbers' states, and numbers.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from humobctl.errors import HumobError
from humobctl.training.device import choose_precision, set_up, set_up_torch, torch_device
from humobctl.training.distributed import Group, Share, join_processes
from humobctl.training.recipe import Costs, Data, Recipe, Training, TrainingPlan
from humobctl.training.session import check_loss, write_whole

MOST_GRADIENT = 1.0
SEED_STRIDE = 1_000_003
"""From the seeds of one training to those of the next, which count steps."""
_LOOK_EVERY = 10
"""Steps from one look at a loss on a GPU, which waits for it, to the next."""
_OPTIMIZER = "optimizer"
_UNDECAYED = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.|_)norm(?:$|\.)")
Batches = Callable[[int], list[Any]]
"""Batches of a step by its number, whose gradients are added up; each on its device."""


def decay_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters that are trained, with weight decay and without: biases and norms, by name."""
    norms = {
        f"{name}.{own}"
        for name, module in network.named_modules()
        if isinstance(module, nn.LayerNorm)
        for own, _ in module.named_parameters(recurse=False)
    }
    parts: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
    for name, one in network.named_parameters():
        if one.requires_grad:
            parts[name in norms or bool(_UNDECAYED.search(name.lower()))].append(one)
    return [
        {"params": part, "weight_decay": decay}
        for part, decay in zip(parts, (weight_decay, 0.0), strict=True)
    ]


class TorchRecipe(Recipe[Data]):
    """What the recipes of torch's models share.

    Attributes:
        uses_transformers: whether transformers is to be seeded and silenced, too.
        remedy: what may help when the loss is NaN or infinite.
        ema: decay of the moving average of the weights, which is what is kept; None for none.
        some_unused: whether a part of the network may take no part in a step.
        ragged: whether batches differ in shape from step to step.
        schedule: how the learning rate falls: cosine or linear.
        from_zero: whether it rises from 0, as that of transformers, or from its first part.
    """

    uses_transformers = True
    remedy = "a lower --learning-rate, a longer --warmup or --precision fp32"

    from_zero = False
    ragged = False

    @property
    def schedule(self) -> str:
        """A cosine."""
        return "cosine"

    @property
    def ema(self) -> float | None:
        """No moving average."""
        return None

    @property
    def some_unused(self) -> bool:
        """All parts take part."""
        return False

    def join(self, device: str) -> AbstractContextManager[Group]:
        """The processes that torchrun started."""
        return join_processes(torch_device(device))

    def set_up(self, device: str) -> Self:
        """Seeds and threads; the recipe with its precision decided."""
        (set_up if self.uses_transformers else set_up_torch)(self.settings.seed)
        precision = choose_precision(self.settings.precision, torch_device(device))
        settings = replace(self.settings, precision=precision)
        return replace(self, settings=settings)  # type: ignore[type-var] # each is a dataclass

    def start(self, data: Data, device: str, group: Group) -> TorchTraining:
        """The network before its first step."""
        return TorchTraining(self, data, torch_device(device), group)

    @abstractmethod
    def plan(self, data: Data, processes: int) -> TrainingPlan:
        """How long the training is."""

    @abstractmethod
    def network(self, data: Data, device: torch.device) -> nn.Module:
        """The untrained network, on its device."""

    @abstractmethod
    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """What changes its weights."""

    def rate(self, peak: float, step: int, steps: int) -> float:
        """Learning rate of a step: it rises in a line, then falls to 0.

        Args:
            peak: the highest.
            step: number of the step, from 0.
            steps: how many there are.
        """
        warmup = self.settings.warmup
        if self.from_zero:
            rising = math.ceil(warmup * steps) if warmup < 1 else 1
        else:
            rising = max(1, round(warmup * steps))
        if step < rising:
            return peak * (step / rising) if self.from_zero else peak * (step + 1) / rising
        if self.schedule == "linear":
            return peak * ((steps - step) / max(1, steps - rising))
        done = (step - rising) / max(1, steps - rising)
        return peak * 0.5 * (1 + math.cos(math.pi * done))

    @abstractmethod
    def batches(self, data: Data, share: Share, device: torch.device) -> Batches:
        """What draws this process's batches of a step."""

    @abstractmethod
    def losses(self, network: Any, batch: Any, group: Group) -> dict[str, Tensor]:
        """Losses by name, ``loss`` of which is minimised.

        Each is this process's addend: the sum over batches and processes is that of the step.
        """

    @abstractmethod
    def validate(self, network: Any, data: Data, device: torch.device) -> dict[str, float]:
        """Scores of a network."""

    def rehearse(self, network: Any, data: Data, device: torch.device) -> Costs:
        """What a validation takes and what comes after the last step, from a small part of it."""
        return Costs()

    def heaviest_step(self, data: Data, plan: TrainingPlan) -> int:
        """Number of a step that takes most memory, from 0."""
        return 0

    def report_memory(self, device: torch.device) -> str:
        """What to say when the device has no memory left."""
        return f"{device.type}: no memory left; try a lower --batch-size"


class _Losses(nn.Module):
    """The losses of a network as a module, whose gradients processes can add up."""

    def __init__(self, recipe: TorchRecipe[Any], network: nn.Module, group: Group) -> None:
        super().__init__()
        self.network, self._recipe, self._group = network, recipe, group

    def forward(self, batch: Any) -> dict[str, Tensor]:
        return self._recipe.losses(self.network, batch, self._group)


class TorchTraining(Training):
    """A network of torch under training."""

    def __init__(
        self, recipe: TorchRecipe[Any], data: Any, device: torch.device, group: Group
    ) -> None:
        self.recipe, self.data, self.device, self.group = recipe, data, device, group
        self.ragged = recipe.ragged and device.type == "cpu"
        self.network = recipe.network(data, device)
        self.plan = recipe.plan(data, group.size)
        self.batches = recipe.batches(data, group.share, device)
        self.optimizer = recipe.optimizer(self.network)
        self._peaks = [one["lr"] for one in self.optimizer.param_groups]
        self.average: AveragedModel | None = None
        if recipe.ema is not None:
            decayed = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(self.network, multi_avg_fn=decayed)
        losses = _Losses(recipe, self.network, group)
        self._stepped = group.wrap(losses, some_unused=recipe.some_unused)
        self._best: dict[str, Tensor] = {}
        self._norm = torch.zeros(())
        self._sums: dict[str, Tensor] = {}
        self._collected = self.step = 0
        torch.manual_seed(recipe.settings.seed)

    @property
    def kept(self) -> Any:
        """The network that validates and is saved: that of averaged weights, if there is one."""
        return self.network if self.average is None else self.average.module

    def rate(self) -> float:
        """Learning rate of the newest step."""
        rate: float = self.optimizer.param_groups[0]["lr"]
        return rate

    def advance(self) -> None:
        """Take one step."""
        for one, peak in zip(self.optimizer.param_groups, self._peaks, strict=True):
            one["lr"] = self.recipe.rate(peak, self.step, self.plan.steps)
        try:
            loss = self._pass()
        except torch.OutOfMemoryError as exc:
            raise HumobError(self.recipe.report_memory(self.device)) from exc
        if self.device.type == "cpu" or self.step % _LOOK_EVERY == 0:
            self.loss = float(loss) * self.group.size  # of this process: about that of all
            check_loss(float(loss), self.step + 1, self.rate(), self.recipe.remedy)
        self._norm = nn.utils.clip_grad_norm_(self.network.parameters(), MOST_GRADIENT)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        self.step += 1

    def _pass(self) -> Tensor:
        """Forward and back through the batches of a step; the sum of their losses."""
        loss = torch.zeros((), device=self.device)
        batches = self.batches(self.step)
        bf16 = self.recipe.settings.precision == "bf16"
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        for number, batch in enumerate(batches, 1):
            last = number == len(batches) or self.group.size == 1
            with nullcontext() if last else self._stepped.no_sync():  # type: ignore[operator]
                with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
                    found = self._stepped(batch)
                (found["loss"] * self.group.size).backward()
            for name, value in found.items():
                self._sums[name] = self._sums.get(name, 0) + value.detach()
            loss = loss + found["loss"].detach()
        return loss

    def collect_losses(self) -> dict[str, float]:
        """Means over the steps since the last call, of the sums over processes."""
        whole = self.group.sums(torch.stack(list(self._sums.values()))).tolist()
        steps = self.step - self._collected
        found = {name: value / steps for name, value in zip(self._sums, whole, strict=True)}
        self._sums, self._collected = {}, self.step
        check_loss(found["loss"], self.step, self.rate(), self.recipe.remedy)
        return found

    def note(self) -> dict[str, float]:
        """The learning rate; with a log of its own for scores, the gradient's norm, too."""
        found = {"learning_rate": self.rate()}
        return {**found, "grad_norm": float(self._norm)} if self.plan.separate else found

    def validate(self) -> dict[str, float]:
        """Scores of the weights that would be kept."""
        return self.recipe.validate(self.kept, self.data, self.device)

    def rehearse(self) -> Costs:
        """What else takes time, found without a change of what the next step draws."""
        on_gpu = self.device.type == "cuda"
        with torch.random.fork_rng(devices=[self.device] if on_gpu else []):
            return self.recipe.rehearse(self.kept, self.data, self.device)

    def heaviest_step(self) -> int:
        """As the recipe knows."""
        return self.recipe.heaviest_step(self.data, self.plan)

    def try_step(self, number: int) -> None:
        """Take the step of that number."""
        self.step = number
        self.advance()

    def sizes(self) -> tuple[int, int]:
        """Bytes of weights and moments, of the best and the averaged weights; of the weights."""
        weights = _bytes(trained_state(self.network))
        moments = sum(map(_bytes, self.optimizer.state.values()))
        average = 0 if self.average is None else _bytes(self.average.state_dict())
        return weights + moments + average + _bytes(self._best), weights

    def keep_best(self) -> None:
        """Remember the weights of this step."""
        state = trained_state(self.network)
        self._best = {name: value.detach().clone() for name, value in state.items()}

    def restore_best(self) -> None:
        """Put the weights that are remembered back."""
        if self._best:
            self.network.load_state_dict(self._best, strict=False)

    def save(self, path: Path, numbers: Mapping[str, float], *, write: bool) -> None:
        """Write weights, moments, losses since the last record, and random states.

        Losses and the random numbers' states are those of all processes.
        """
        sums = {
            f"{number}.{name}": self.group.stack(value)
            for number, (name, value) in enumerate(self._sums.items())
        }
        random = {"random": self.group.stack(torch.get_rng_state())}
        if self.device.type == "cuda":
            random["random_cuda"] = self.group.stack(torch.cuda.get_rng_state(self.device))
        if not write:
            return
        parts = {"network": trained_state(self.network), "best": self._best, "sums": sums}
        if self.average is not None:
            parts["average"] = self.average.state_dict()
        extra = {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
        steps = {"step": torch.tensor(self.step), "collected": torch.tensor(self._collected)}
        save_state(path, parts, self.optimizer, {**steps, **extra, **random})

    def restore(self, path: Path) -> dict[str, float]:
        """Continue from what ``save`` wrote.

        Raises:
            HumobError: weights of other shapes, as another version of the network has.
        """
        parts, numbers = load_state(path, self.optimizer, self.device)
        try:
            self.network.load_state_dict(parts["network"], strict=False)
        except RuntimeError as exc:
            raise HumobError(
                f"{path}: found weights of another version of this network, expected those of this "
                "version; --overwrite starts again"
            ) from exc
        if self.average is not None:
            self.average.load_state_dict(parts["average"])
        self._best = parts.get("best", {})
        # torch reads a state from where the memory of a view begins: a copy is none.
        own = self.group.share.rank
        torch.set_rng_state(numbers.pop("random").cpu()[own].clone())
        if "random_cuda" in numbers:
            state = numbers.pop("random_cuda").cpu()[own].clone()
            torch.cuda.set_rng_state(state, self.device)
        self._sums = {
            name.partition(".")[2]: value[own]
            for name, value in sorted(parts.get("sums", {}).items())
        }
        self.step = int(numbers.pop("step"))
        self._collected = int(numbers.pop("collected", self.step))
        return {name: float(value) for name, value in numbers.items()}


def _bytes(tensors: Mapping[str, Tensor]) -> int:
    return sum(one.nbytes for one in tensors.values())


def trained_state(network: nn.Module) -> dict[str, Tensor]:
    """The arrays of a network that a training changes: all, or where some are frozen the others."""
    free = {name: one for name, one in network.named_parameters() if one.requires_grad}
    if len(free) == sum(1 for _ in network.parameters()):
        return network.state_dict()
    return {name: one.detach() for name, one in free.items()}


def save_state(
    path: Path,
    parts: dict[str, dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    numbers: dict[str, Tensor],
) -> None:
    """Write all that is needed to go on, whole or not at all.

    Args:
        path: the file.
        parts: weights by name, by the name of what they belong to.
        optimizer: whose moments are kept.
        numbers: what else there is; names without a dot.
    """
    moments = {
        f"{number}.{name}": value
        for number, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    tensors = {
        f"{part}.{name}": value
        for part, held in {**parts, _OPTIMIZER: moments}.items()
        for name, value in held.items()
    }
    tensors |= numbers
    apart = _separate(tensors)
    write_whole(path, lambda partial: save_file(apart, partial))


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, copied only where they share memory, which a file refuses."""
    seen: set[int] = set()
    found = {}
    for name, value in tensors.items():
        place = value.untyped_storage().data_ptr()
        found[name] = value.clone() if place in seen else value.contiguous()
        seen.add(place)
    return found


def load_state(
    path: Path, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """What ``save_state`` wrote: parts and numbers; the optimiser gets its moments back.

    Args:
        path: the file.
        optimizer: of the same parameters.
        device: where the tensors go.
    """
    parts: dict[str, dict[str, Tensor]] = {}
    numbers: dict[str, Tensor] = {}
    for name, value in load_file(path, device=str(device)).items():
        part, dot, rest = name.partition(".")
        if dot:
            parts.setdefault(part, {})[rest] = value
        else:
            numbers[part] = value
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in parts.pop(_OPTIMIZER, {}).items():
        number, _, key = name.partition(".")
        states.setdefault(int(number), {})[key] = value.cpu() if key == "step" else value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    return parts, numbers
