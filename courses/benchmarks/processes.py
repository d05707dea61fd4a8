"""Processes that begin at the same moment, each with a connection of its own, on code that needs Django set up.

Nothing of ours is imported here before Django is: a spawned process reads this module first.
"""

import multiprocessing
import queue
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

# Longer than any round on a loaded machine; a process that died must not leave the others waiting for ever.
BARRIER_SECONDS = 600


def run_processes(target: str, shares: Sequence[Any], *, done: Callable[[int], None]) -> list[Any]:
    """Call `target` ("module:function") in one process for each share, and return their answers in order.

    The function is given its share, a barrier that all processes pass together, and a function to say how many more
    attempts it has made; `done` hears of these. Raises RuntimeError when a process fails.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(shares), timeout=BARRIER_SECONDS)
    outbox: Any = context.Queue()
    processes = [
        context.Process(target=_enter, args=(target, number, share, barrier, outbox), daemon=True)
        for number, share in enumerate(shares)
    ]
    for process in processes:
        process.start()
    answers: dict[int, Any] = {}
    try:
        for kind, number, value in _messages(outbox, processes):
            if kind == "made":
                done(value)
            elif kind == "failed":
                raise RuntimeError(f"process {number}: {value}")
            else:
                answers[number] = value
                if len(answers) == len(shares):
                    break
    except BaseException:
        for process in processes:
            process.terminate()
        raise
    for process in processes:
        process.join()
    return [answers[number] for number in range(len(shares))]


def _messages(outbox: Any, processes: Sequence[Any]) -> Iterator[tuple[str, int, Any]]:
    while True:
        try:
            yield outbox.get(timeout=5)
        except queue.Empty:
            dead = [process.exitcode for process in processes if process.exitcode]
            if dead:
                raise RuntimeError(f"a process ended with {dead[0]}") from None


def _enter(target: str, number: int, share: Any, barrier: Any, outbox: Any) -> None:
    import django

    try:
        django.setup()
        module, function = target.split(":")
        call = getattr(import_module(module), function)
        answer = call(share, barrier, lambda made: outbox.put(("made", number, made)))
    except BaseException as error:
        barrier.abort()
        outbox.put(("failed", number, f"{type(error).__name__}: {error}"))
        raise
    outbox.put(("answer", number, answer))
