"""Batches in an order that depends on a seed alone, made while the device computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from jaxconv.data.augmentation import Augmentation, augment
from jaxconv.data.cache import DEFAULT_BYTES, Cache
from jaxconv.data.dataset import VOID, Dataset, Example
from jaxconv.data.downsampling import downsample_example
from jaxconv.data.prefetch import Prefetcher
from jaxconv.errors import DataError, OptionError

# SeedSequence pads with zeros: (seed, epoch) and (seed, epoch, 0) are one. What a seed is for stands second.
_ORDER, _CHANGES = 1, 2


class Batch(NamedTuple):
    """Examples on top of each other.

    Attributes:
      images: ``(n, rows, columns, features)`` float32, 0 to 1.
      labels: ``(n, rows, columns)`` int32, or ``(n,)`` in classification.
    """

    images: np.ndarray
    labels: np.ndarray


class Stream:
    """Endless batches to train on: batch `step` is always the same.

    Every example comes once an epoch, in an order drawn from the seed and the epoch. An epoch may end
    in the middle of a batch; the next one begins there, and nothing is dropped.

    Args:
      dataset: Where the examples are from.
      batch_size: Examples of a batch, over all processes.
      augmentation: Chance changes; they depend on the seed, the step and the place in the batch. Its
        `crop` counts pixels of the data set's examples, before downsampling.
      seed: Decides everything random, at least 0.
      shrink: Images are averaged over so many pixels along each axis, labels take the middle one; the
        augmentation comes after it. It must divide the crop.
      cache_bytes: Memory for downsampled examples, in bytes.

    Raises:
      DataError: No examples.
      OptionError: A number below its smallest, or a crop that `shrink` does not divide.

    >>> from jaxconv.data import digits
    >>> batch = Stream(digits("train"), 4, seed=1).batch(step=0)
    >>> batch.images.shape, batch.labels.dtype.name
    ((4, 48, 48, 1), 'int32')
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        shrink: int = 1,
        cache_bytes: int = DEFAULT_BYTES,
    ):
        if not len(dataset):
            raise DataError("the data set has no examples to stream.")
        for name, number, least in (
            ("batch_size", batch_size, 1),
            ("seed", seed, 0),
            ("shrink", shrink, 1),
            ("cache_bytes", cache_bytes, 0),
        ):
            if number < least:
                raise OptionError(f"`{name}` is at least {least}, got {number}.")
        self.dataset, self.batch_size, self.seed, self.shrink = dataset, batch_size, seed, shrink
        self.augmentation = None if augmentation is None else augmentation.downsample(shrink)
        self._examples = Cache(lambda index: downsample_example(dataset[index], shrink), cache_bytes)
        self._order = lru_cache(maxsize=2)(self._shuffle)  # a batch reaches into two epochs at most times

    def batch(self, step: int, part: tuple[int, int] = (0, 1)) -> Batch:
        """One batch, or the share of one process in it.

        Args:
          step: Which batch; the same number gives the same batch, in any order, thread and process.
          part: ``(index, count)``: share `index` of `count` equal ones; the others are not computed.

        Raises:
          OptionError: The batch has no such share.
          DataError: Its examples differ in size.
        """
        share, count = part
        if step < 0 or not 0 <= share < count or self.batch_size % count:
            raise OptionError(
                f"batches count from 0 and `part` is (index, count), where `count` divides the batch size "
                f"{self.batch_size}; got step={step}, part={part}."
            )
        rows = self.batch_size // count
        return stack_examples([self._example(step, share * rows + row) for row in range(rows)])

    def indices(self, step: int) -> list[int]:
        """Which examples are in a batch, in order."""
        return [self._index(step, position) for position in range(self.batch_size)]

    def _index(self, step: int, position: int) -> int:
        epoch, place = divmod(step * self.batch_size + position, len(self.dataset))
        return int(self._order(epoch)[place])

    def _shuffle(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, _ORDER, epoch)).permutation(len(self.dataset))

    def _example(self, step: int, position: int) -> Example:
        example = self._examples[self._index(step, position)]
        if self.augmentation is None:
            return example
        rng = np.random.default_rng((self.seed, _CHANGES, step, position))
        return augment(example, self.augmentation, rng)


def prefetch_batches(
    stream: Stream, start: int, stop: int, *, part: tuple[int, int] = (0, 1), workers: int = 2, depth: int = 4
) -> Prefetcher[int, tuple[int, Batch]]:
    """Makes batches `start` to ``stop - 1`` in threads while earlier ones are used.

    Args:
      stream: Of batches.
      start: First step.
      stop: Behind the last.
      part: Share of each batch; see `Stream.batch`.
      workers: Threads; each makes a batch of its own.
      depth: Batches that are ready, or being made, before they are asked for.

    Returns:
      An iterator over ``(step, Batch)``; its `waited` counts the seconds that were spent waiting.

    >>> from jaxconv.data import digits
    >>> with prefetch_batches(Stream(digits("train"), 4), 10, 12) as batches:
    ...     print([step for step, _ in batches])
    [10, 11]
    """
    return Prefetcher(
        lambda step: (step, stream.batch(step, part)), range(start, stop), workers=workers, depth=depth
    )


def iterate_batches(
    dataset: Dataset, size: int, *, shrink: int = 1, workers: int = 2
) -> Iterator[tuple[Batch, int]]:
    """Yields every example once, in order, in batches of one size.

    Images of different sizes are not mixed: a batch ends early where the size changes. What is missing
    in a batch is filled with its last image, labelled void; nothing is dropped.

    Args:
      dataset: The examples.
      size: Of every batch.
      shrink: Images are averaged over so many pixels along each axis; labels stay as they are.
      workers: Threads that load.

    Yields:
      The batch, and how many of its examples are no filling.

    Raises:
      OptionError: `size` below 1.

    >>> from jaxconv.data import digit_images
    >>> [count for _, count in iterate_batches(digit_images("val"), 100)]
    [100, 100, 25]
    """
    if size < 1:
        raise OptionError(f"a batch has at least one example, got size={size}.")

    def load(index: int) -> Example:
        example = dataset[index]
        return Example(example.name, downsample_example(example, shrink).image, example.label)

    group: list[Example] = []
    with Prefetcher(load, range(len(dataset)), workers=workers, depth=2 * size) as examples:
        for example in examples:
            if group and (len(group) == size or example.image.shape != group[0].image.shape):
                yield _fill_batch(group, size)
                group = []
            group.append(example)
    if group:
        yield _fill_batch(group, size)


def _fill_batch(group: Sequence[Example], size: int) -> tuple[Batch, int]:
    last = group[-1]
    label = np.full_like(last.label, VOID)
    filling = [Example(last.name, last.image, label)] * (size - len(group))
    return stack_examples([*group, *filling]), len(group)


def stack_examples(examples: Sequence[Example]) -> Batch:
    """Stacks examples of one size into a batch.

    Raises:
      DataError: They differ in size.
    """
    first = examples[0]
    for other in examples:
        if other.image.shape != first.image.shape:
            raise DataError(
                f"the images of a batch have one size: {first.name} is {first.image.shape}, {other.name} "
                f"{other.image.shape} (rows, columns, features); set `augmentation.crop`."
            )
    return Batch(np.stack([one.image for one in examples]), np.stack([one.label for one in examples]))
