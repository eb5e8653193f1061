"""Cut a WordPiece vocabulary down to what is met, keeping every single character spellable."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def prune(tokenizer_file: Path, texts: Iterable[str], size: int) -> tuple[dict[str, Any], list[int]]:
    """Return a tokenizer.json of `size` pieces, and for each new piece its row in the old embedding matrix.

    Kept, in this order: the special pieces, every piece of one character (at a word's start and inside), the pieces
    seen in `texts` (the most frequent first), then the old vocabulary from its top, which is sorted by frequency.
    """
    state: dict[str, Any] = json.loads(tokenizer_file.read_text(encoding="utf-8"))
    old: dict[str, int] = state["model"]["vocab"]
    tokenizer = Tokenizer.from_str(json.dumps({**state, "truncation": None, "padding": None}))
    seen = Counter(piece for encoding in tokenizer.encode_batch(list(texts)) for piece in encoding.tokens)
    order = [piece for piece in old if not piece.startswith("[unused")]
    wanted = dict.fromkeys(SPECIAL)
    wanted.update(dict.fromkeys(piece for piece in order if len(piece.removeprefix("##")) == 1))
    wanted.update(dict.fromkeys(piece for piece, count in seen.most_common() if count > 1))
    wanted.update(dict.fromkeys(order))
    kept = list(wanted)[:size]
    ids = {piece: number for number, piece in enumerate(kept)}
    state["model"]["vocab"] = ids
    state["truncation"] = state["padding"] = None
    for added in state["added_tokens"]:
        added["id"] = ids[added["content"]]
    for name, token in state["post_processor"]["special_tokens"].items():
        token["ids"] = [ids[name]]
    return state, [old[piece] for piece in kept]
