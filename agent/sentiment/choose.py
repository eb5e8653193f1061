"""Which engine scores: the one place that opens a model for whoever needs one, the analyzer and the commands alike.

Opening takes seconds with flair: do it in a worker thread where something else must go on meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.sentiment import model_folder
from ipc.errors import ModelError

if TYPE_CHECKING:
    from agent.sentiment.engine import Engine


def open_engine(model: str, *, engine: str = "flair", threads: int = 1) -> Engine:
    """Open a model by the name of the setting SENTIMENT_MODEL, in the engine that SENTIMENT_ENGINE names.

    Raises:
        ModelError: it is missing, damaged, of another kind, or not to be had. One sentence for the operator.

    """
    # Before flair is imported: a folder that only the operator can mend is told of within milliseconds.
    if (folder := model_folder.folder_of(model)) is not None:
        model_folder.examine(folder)
    return (_load_onnx if engine == "onnx" else _load_flair)(model, threads)


def _load_flair(model: str, threads: int) -> Engine:
    try:
        from agent.sentiment.flair_engine import load  # noqa: PLC0415 - takes seconds, and only who scores pays it
    except ModuleNotFoundError as error:
        raise ModelError(f"{error.name} is not installed: pip install 'sentimentagent[analyzer]'") from error
    return load(model, threads=threads)


def _load_onnx(model: str, threads: int) -> Engine:
    try:
        from agent.sentiment.onnx_engine import load  # noqa: PLC0415 - an extra that not everybody installs
    except ModuleNotFoundError as error:
        raise ModelError(
            f"SENTIMENT_ENGINE=onnx needs {error.name}, which is not installed: pip install 'sentimentagent[onnx]'"
        ) from error
    return load(model, threads=threads)
