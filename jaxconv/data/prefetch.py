"""Results computed in threads ahead of their use, in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from jaxconv.errors import OptionError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Prefetcher(Generic[Item, Result]):
    """Computes ``map(function, items)`` in threads, at most `depth` results ahead.

    An exception of the function is raised in place of its result. The threads end with the last result,
    with an exception, or at `close`; a ``with`` statement closes it at its end.

    Args:
      function: The function; it is called in several threads at a time.
      items: Its arguments, one per call.
      workers: Number of threads, at least 1.
      depth: Number of results that are computed, or being computed, before they are asked for; at least 1.

    Attributes:
      waited: Time spent waiting for results so far, in seconds.

    Raises:
      OptionError: `workers` or `depth` is below 1.

    >>> with Prefetcher(lambda n: n * n, range(5)) as squares:
    ...     print(*squares)
    0 1 4 9 16
    """

    def __init__(
        self, function: Callable[[Item], Result], items: Iterable[Item], *, workers: int = 2, depth: int = 4
    ):
        if workers < 1 or depth < 1:
            raise OptionError(
                f"`workers` and `depth` must be at least 1, got workers={workers}, depth={depth}."
            )
        self.waited = 0.0
        self._function, self._items, self._depth = function, iter(items), depth
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
        self._futures: deque[Future[Result]] = deque()

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        started = time.perf_counter()
        try:
            self._fill()
            if not self._futures:
                raise StopIteration
            result = self._futures.popleft().result()
            self._fill()  # the next one starts before this one is used
        except BaseException:
            self.close()
            raise
        self.waited += time.perf_counter() - started
        return result

    def _fill(self) -> None:
        while len(self._futures) < self._depth:
            try:
                item = next(self._items)
            except StopIteration:
                return
            self._futures.append(self._pool.submit(self._function, item))

    def close(self) -> None:
        """Drops the remaining results, and waits until the threads have ended."""
        self._items = iter(())
        self._futures.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Prefetcher[Item, Result]:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
