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
    """The numbers of one stage: the usual ones for such networks, not searched for; the epochs fit the time given."""

    epochs: int
    peak_rate: float
    #: The rate of the two heads, which begin at random.
    head_rate: float = 1e-4
    #: Padded length times rows: what one step costs.
    batch_tokens: int = 1024
    warmup: float = 0.08
    decay: float = 0.01
    #: Weight of the emotions' loss beside the classes' loss.
    emotion_weight: float = 4.0
    #: How much of a target is the teacher's opinion, where there is one. Chosen, not searched for.
    teacher_weight: float = 0.75
    average: float = 0.998
    #: In this many last epochs only rows that are `core` are learned from.
    core_epochs: int = 0


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as the network takes it."""

    ids: Sequence[int]
    #: Three probabilities, and one for each emotion; None where nobody said.
    target: Tensor | None
    emotions: Tensor | None
    #: What the teacher thinks: the same 3 and 28 in a row.
    opinion: Tensor | None = None
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


def padded(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Pad with the id `padding` to the longest row; return ids and mask."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), padding)
    mask = torch.zeros(len(rows), longest, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    return ids, mask


def outputs(network: Network, rows: Sequence[Sequence[int]], *, half: bool) -> Tensor:
    """Return the logits of every row, in order, without training anything: three classes, then the emotions."""
    network.eval()
    out = torch.zeros(len(rows), 3 + EMOTIONS)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        for batch in tqdm(list(batches([len(row) for row in rows], 2048, None)), mininterval=20, ascii=True):
            out[batch] = torch.cat(network(*padded([rows[index] for index in batch], network.padding)), 1)
    return out


def opinions(teacher: Network, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the teacher's probabilities for every row: of the three classes, then of each emotion."""
    told = outputs(teacher, rows, half=has_bfloat16())
    return torch.cat([told[:, :3].softmax(1), told[:, 3:].sigmoid()], 1)


def loss_of(network: Network, rows: Sequence[Encoded], recipe: Recipe, *, half: bool) -> Tensor:
    """Cross-entropy to the classes' targets, plus binary cross-entropy to the emotions', both mixed with opinions."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        classes, emotions = network(*padded([row.ids for row in rows], network.padding))
    share = recipe.teacher_weight
    sure = [_mixed(row.target, None if row.opinion is None else row.opinion[:3], share) for row in rows]
    felt = [_mixed(row.emotions, None if row.opinion is None else row.opinion[3:], share) for row in rows]
    loss = classes.sum() * 0
    if kept := [number for number, target in enumerate(sure) if target is not None]:
        targets = torch.stack([target for target in sure if target is not None])
        loss = loss + functional.cross_entropy(classes[kept], targets)
    if kept := [number for number, target in enumerate(felt) if target is not None]:
        targets = torch.stack([target for target in felt if target is not None])
        loss = loss + recipe.emotion_weight * functional.binary_cross_entropy_with_logits(emotions[kept], targets)
    return loss


def _mixed(own: Tensor | None, taught: Tensor | None, share: float) -> Tensor | None:
    """Mix what people said with `share` of what the teacher thinks; where one is missing, the other stands."""
    if own is None or taught is None:
        return taught if own is None else own
    return torch.lerp(own, taught, share)


def fit(network: Network, data: Sequence[Encoded], recipe: Recipe, checkpoint: Path, seed: int) -> Network:
    """Train, and return the average of the weights. Resumes after the last whole epoch that `checkpoint` holds."""
    half = has_bfloat16()
    average = copy.deepcopy(network)
    heads = [*network.decoder.parameters(), *network.emotions.parameters()]
    body = [parameter for parameter in network.encoder.parameters() if parameter.requires_grad]
    groups = [{"params": body, "peak": recipe.peak_rate}, {"params": heads, "peak": recipe.head_rate}]
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.decay, fused=True)
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
        network.train()
        running = 0.0
        with tqdm(
            plans[epoch], desc=f"{checkpoint.stem} {epoch + 1}/{recipe.epochs}", mininterval=20, ascii=True
        ) as bar:
            for batch in bar:
                rate = min(step / warmup, max(0.0, (total - step) / (total - warmup)))
                for parameters in optimiser.param_groups:
                    parameters["lr"] = parameters["peak"] * rate
                loss = loss_of(network, [parts[epoch][index] for index in batch], recipe, half=half)
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
    return [
        Encoded(ids, None if example.target is None else torch.tensor(example.target), _emotions(example))
        for example, ids in zip(examples, rows, strict=True)
    ]


def _emotions(example: Example) -> Tensor | None:
    if example.emotions is None:
        return None
    marked = torch.zeros(EMOTIONS)
    marked[list(example.emotions)] = 1.0
    return marked
