"""The loop of training: token-bounded batches, bfloat16 where there is some, an average of weights, checkpoints."""

import copy
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from training.data import EMOTIONS, Example
from training.network import Network

#: Longer texts are cut while training: 99.9 % of the comments are shorter.
MAX_TOKENS = 96


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one stage: the usual ones for small BERTs, not searched for; the epochs fit the time given."""

    epochs: int
    peak_rate: float
    #: Padded length times rows: what one step costs.
    batch_tokens: int = 1024
    warmup: float = 0.08
    decay: float = 0.01
    #: Weight of the emotions' loss beside the classes' loss.
    emotion_weight: float = 4.0
    #: How much of the classes' target is the teacher's opinion, where there is one.
    teacher_weight: float = 0.6
    average: float = 0.998
    #: In this many last epochs only rows that are `core` are learned from, and less of the teacher's opinion.
    core_epochs: int = 0
    core_teacher_weight: float = 0.3


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as the network takes it."""

    ids: Sequence[int]
    target: tuple[float, float, float] | None
    emotions: tuple[int, ...] | None
    teacher: tuple[float, float, float] | None = None
    #: Whether it belongs to the texts that the model is for, rather than to those that widen it.
    core: bool = True


def has_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16; elsewhere it would be slower, not faster."""
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - there is no public name


def batches(lengths: Sequence[int], batch_tokens: int, rng: random.Random | None) -> Iterator[list[int]]:
    """Cut indices into batches of like lengths, bounded by padded tokens; shuffled when `rng` is given."""
    order = list(range(len(lengths)))
    if rng is not None:
        rng.shuffle(order)
    chunk = 4096 if rng is not None else max(1, len(order))
    cut: list[list[int]] = []
    for start in range(0, len(order), chunk):
        part = sorted(order[start : start + chunk], key=lambda index: lengths[index])
        batch: list[int] = []
        for index in part:
            if batch and lengths[index] * (len(batch) + 1) > batch_tokens:
                cut.append(batch)
                batch = []
            batch.append(index)
        cut.append(batch)
    if rng is not None:
        rng.shuffle(cut)
    yield from (batch for batch in cut if batch)


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pad with 0 to the longest row; return ids and mask."""
    longest = max(map(len, rows))
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return ids, mask


def logits(network: Network, rows: Sequence[Sequence[int]], *, half: bool) -> Tensor:
    """Return the class logits of every row, in order, without training anything."""
    network.eval()
    out = torch.zeros(len(rows), 3)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        for batch in batches([len(row) for row in rows], 2048, None):
            out[batch] = network(*padded([rows[index] for index in batch]))[0]
    return out


def loss_of(network: Network, rows: Sequence[Encoded], recipe: Recipe, share: float, *, half: bool) -> Tensor:
    """Cross-entropy to the soft targets, `share` of them the teacher's, plus binary cross-entropy to the emotions."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        classes, emotions = network(*padded([row.ids for row in rows]))
    targets, weights = [], []
    for row in rows:
        own, taught = row.target, row.teacher
        if own is not None and taught is not None:
            targets.append([share * b + (1 - share) * a for a, b in zip(own, taught, strict=True)])
        else:
            targets.append(list(own or taught or (0.0, 0.0, 0.0)))
        weights.append(1.0 if own or taught else 0.0)
    target, weight = torch.tensor(targets), torch.tensor(weights)
    loss = (functional.cross_entropy(classes, target, reduction="none") * weight).sum() / weight.sum().clamp(min=1)
    annotated = [number for number, row in enumerate(rows) if row.emotions is not None]
    if annotated:
        truth = torch.zeros(len(annotated), EMOTIONS)
        for place, number in enumerate(annotated):
            truth[place, list(rows[number].emotions or ())] = 1.0
        loss = loss + recipe.emotion_weight * functional.binary_cross_entropy_with_logits(emotions[annotated], truth)
    return loss


def fit(network: Network, data: Sequence[Encoded], recipe: Recipe, checkpoint: Path, seed: int) -> Network:
    """Train, and return the average of the weights. Resumes after the last whole epoch that `checkpoint` holds."""
    half = has_bfloat16()
    average = copy.deepcopy(network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.peak_rate, weight_decay=recipe.decay, fused=True)
    parts = [data] * (recipe.epochs - recipe.core_epochs) + [[row for row in data if row.core]] * recipe.core_epochs
    plans = [
        list(batches([len(row.ids) for row in part], recipe.batch_tokens, _rng(seed + epoch)))
        for epoch, part in enumerate(parts)
    ]
    total = sum(map(len, plans))
    warmup = max(1, int(total * recipe.warmup))
    step = first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, first = state["step"], state["epoch"]
    for epoch in range(first, recipe.epochs):
        torch.manual_seed(seed + epoch)
        share = recipe.teacher_weight if parts[epoch] is data else recipe.core_teacher_weight
        network.train()
        running = 0.0
        with tqdm(
            plans[epoch], desc=f"{checkpoint.stem} {epoch + 1}/{recipe.epochs}", mininterval=20, ascii=True
        ) as bar:
            for batch in bar:
                rate = min(step / warmup, max(0.0, (total - step) / (total - warmup)))
                for parameters in optimiser.param_groups:
                    parameters["lr"] = recipe.peak_rate * rate
                loss = loss_of(network, [parts[epoch][index] for index in batch], recipe, share, half=half)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                optimiser.zero_grad()
                step += 1
                if step % 4 == 0:
                    _follow(average, network, min(recipe.average**4, 1 - 4 / (step + 4)))
                running = 0.98 * running + 0.02 * loss.item() if running else loss.item()
                if not math.isfinite(running):
                    message = f"the loss is {running} at step {step}"
                    raise RuntimeError(message)
                bar.set_postfix(loss=f"{running:.3f}", refresh=False)
        state = {"network": network.state_dict(), "average": average.state_dict(), "step": step, "epoch": epoch + 1}
        fresh = checkpoint.with_suffix(".new")
        torch.save({**state, "optimiser": optimiser.state_dict()}, fresh)
        fresh.replace(checkpoint)
    return average


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - to be repeated, not to be secret


@torch.no_grad()
def _follow(average: Network, network: Network, keep: float) -> None:
    """Move the average a little towards the network: `keep` is what stays of the average."""
    ours, theirs = list(average.parameters()), list(network.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - keep)


def encode(examples: Sequence[Example], rows: Sequence[Sequence[int]]) -> list[Encoded]:
    """Pair examples with their token ids."""
    return [Encoded(ids, example.target, example.emotions) for example, ids in zip(examples, rows, strict=True)]
