"""Images stored by several processes, in the order of the samples."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import threading
import typing
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.synchronize import Event

from ..stop import delayed_signals
from .decode import Storage, Stored, store
from .listing import Sample

_stopping: Event  # of a worker
BATCH = 16  # samples handed over at once
AHEAD = 3  # batches per process that may wait, so that memory stays bounded


def store_all(samples: list[Sample], storage: Storage, workers: int) -> typing.Generator[Stored | str, None, None]:
    """Gives for every sample, in order, what store() gives. Close it to stop early: processes end after an image."""
    if workers == 1 or len(samples) <= BATCH:
        for sample in samples:
            yield store(sample, storage)
        return
    context = multiprocessing.get_context("spawn")
    with delayed_signals():  # for the process that counts semaphores
        stopping = context.Event()
    pool = concurrent.futures.ProcessPoolExecutor(workers, context, _follow_parent, (stopping,))
    try:
        waiting: collections.deque[concurrent.futures.Future[list[Stored | str]]] = collections.deque()
        for batch in _batches(samples):
            with delayed_signals():  # submit() starts processes, and signals are for this one alone
                waiting.append(pool.submit(_store_batch, batch, storage))
            if len(waiting) > AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool:
        raise ChildProcessError(
            "a worker process ended unexpectedly, perhaps because memory ran out. The same command resumes where this one "
            "stopped; fewer --workers or a smaller --max-pixels need less memory"
        ) from None
    finally:
        stopping.set()
        pool.shutdown(cancel_futures=True)


def _batches(samples: list[Sample]) -> typing.Iterator[list[Sample]]:
    rest = iter(samples)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


def _store_batch(batch: list[Sample], storage: Storage) -> list[Stored | str]:
    return [store(sample, storage) for sample in batch if not _stopping.is_set()]


def _follow_parent(stopping: Event) -> None:
    """A worker ends its batch when `stopping` is set, and itself when its parent has ended."""
    global _stopping
    _stopping = stopping

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
