"""A blocking call with an end: whoever asks waits no longer than a limit, whatever hangs.

The call runs in a daemon thread. A name server that is silent or a network disk that is gone can't be interrupted from
Python; such a thread is left behind, and does not keep the command from ending. For commands only: a process that lives
long would collect such threads.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def within(limit_s: float, call: Callable[[], T]) -> T:
    """Return what ``call`` returns, or raise what it raises.

    Raises:
        TimeoutError: it has done neither within ``limit_s``.

    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - not handled here: the caller gets it
            future.set_exception(error)

    threading.Thread(target=run, name="bounded call", daemon=True).start()
    try:
        return future.result(limit_s)
    except TimeoutError as error:
        raise TimeoutError(str(error) or f"no answer within {limit_s:g} s") from error
