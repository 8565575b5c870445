"""Images stored by several processes, in the order of the samples."""

import collections
import concurrent.futures
import itertools
import multiprocessing
import os
import threading
from concurrent.futures.process import BrokenProcessPool

from ..stop import delayed_signals
from .decode import store

BATCH = 16  # samples handed over at once
AHEAD = 3  # batches per process that may wait, so that memory stays bounded


def store_all(samples, storage, workers):
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
        waiting = collections.deque()
        for batch in _batches(samples):
            with delayed_signals():  # submit() starts processes, and signals are for this one alone
                waiting.append(pool.submit(_store_batch, batch, storage))
            if len(waiting) > AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool:
        raise ChildProcessError(
            "a worker process ended unexpectedly, perhaps because memory ran out. The same command continues where this one "
            "stopped; fewer --workers or a smaller --max-pixels need less memory"
        ) from None
    finally:
        stopping.set()
        pool.shutdown(cancel_futures=True)


def _batches(samples):
    rest = iter(samples)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


def _store_batch(batch, storage):
    return [store(sample, storage) for sample in batch if not _stopping.is_set()]


def _follow_parent(stopping):
    """A worker ends its batch when `stopping` is set, and itself when its parent has ended."""
    global _stopping
    _stopping = stopping

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
