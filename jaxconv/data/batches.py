"""Batches in an order that depends only on a seed, made while the device computes."""

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

# SeedSequence pads with zeros, so (seed, epoch) and (seed, epoch, 0) would be one seed. The second number
# says what the seed is for.
_ORDER, _CHANGES = 1, 2


class Batch(NamedTuple):
    """A batch of examples.

    Attributes:
      images: ``(n, rows, columns, features)`` float32, from 0 to 1.
      labels: ``(n, rows, columns)`` int32, or ``(n,)`` int32 in classification.
    """

    images: np.ndarray
    labels: np.ndarray


class Stream:
    """An endless stream of training batches, in which batch `step` is always the same.

    Every example occurs once per epoch, in an order that depends on `seed` and the epoch. An epoch may end
    in the middle of a batch; the next one begins there, and no example is dropped.

    Args:
      dataset: The examples.
      batch_size: Number of examples in a batch, over all processes together; at least 1.
      augmentation: Random changes of the examples, which depend on `seed`, the step and the position in
        the batch; by default none. Its `crop` counts pixels before downsampling.
      seed: Seed of the order and of the random changes, at least 0.
      shrink: Number of pixels, per axis, over which images are averaged; a label is that of the pixel in
        the middle. The augmentation comes after it, and its `crop` must be a multiple of it.
      cache_bytes: Memory for downsampled examples, in bytes.

    Raises:
      DataError: The data set is empty.
      OptionError: A number is below its smallest value, or `crop` is not a multiple of `shrink`.

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
            raise DataError("`dataset` must have at least one example, got an empty one.")
        for name, number, least in (
            ("batch_size", batch_size, 1),
            ("seed", seed, 0),
            ("shrink", shrink, 1),
            ("cache_bytes", cache_bytes, 0),
        ):
            if number < least:
                raise OptionError(f"`{name}` must be at least {least}, got {number}.")
        self.dataset, self.batch_size, self.seed, self.shrink = dataset, batch_size, seed, shrink
        self.augmentation = None if augmentation is None else augmentation.downsample(shrink)
        self._examples = Cache(lambda index: downsample_example(dataset[index], shrink), cache_bytes)
        self._order = lru_cache(maxsize=2)(self._shuffle)  # a batch rarely reaches into more than two epochs

    def batch(self, step: int, part: tuple[int, int] = (0, 1)) -> Batch:
        """Makes one batch, or the part of it that belongs to one process.

        Args:
          step: Number of the batch, from 0; the same number gives the same batch, in any order, thread and
            process.
          part: ``(index, count)``: part `index`, from 0, of `count` equal parts; the other parts are not
            computed.

        Returns:
          The batch, or its part.

        Raises:
          OptionError: `step` is negative, or the batch cannot be divided into such parts.
          DataError: The examples of the batch differ in size.
        """
        index, count = part
        if step < 0:
            raise OptionError(f"`step` must be at least 0, got {step}.")
        if not 0 <= index < count or self.batch_size % count:
            raise OptionError(
                f"`part` must be (index, count), where index is below count and count divides the batch size "
                f"{self.batch_size}; got {part}."
            )
        rows = self.batch_size // count
        return stack_examples([self._example(step, index * rows + row) for row in range(rows)])

    def indices(self, step: int) -> list[int]:
        """Returns the indices of the examples of batch `step`, in order."""
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
    """Makes batches `start` to ``stop - 1`` in threads, while earlier ones are used.

    Args:
      stream: The stream of batches.
      start: First step.
      stop: Last step + 1.
      part: ``(index, count)``: which part of each batch is made; see `Stream.batch`.
      workers: Number of threads; each makes whole batches.
      depth: Number of batches that are ready, or being made, before they are asked for.

    Returns:
      An iterator over ``(step, Batch)``; its attribute `waited` is the time spent waiting, in seconds.

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

    Images of different sizes are not mixed: a batch ends early where the size changes. A batch that ends
    early is filled with copies of its last image, labelled void; no example is dropped.

    Args:
      dataset: The examples.
      size: Number of examples in a batch, at least 1.
      shrink: Number of pixels, per axis, over which images are averaged; labels keep their size.
      workers: Number of threads that load examples.

    Yields:
      The batch, and the number of its examples without the filling.

    Raises:
      OptionError: `size` or `shrink` is below 1.

    >>> from jaxconv.data import digit_images
    >>> [count for _, count in iterate_batches(digit_images("val"), 100)]
    [100, 100, 25]
    """
    if size < 1:
        raise OptionError(f"`size` must be at least 1, the examples of a batch; got size={size}.")

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
      DataError: The examples differ in size.
    """
    first = examples[0]
    for other in examples:
        if other.image.shape != first.image.shape:
            raise DataError(
                f"the images of a batch must have one size, but {first.name} is {first.image.shape}, "
                f"{other.name} {other.image.shape} (rows, columns, features); set `augmentation.crop`."
            )
    return Batch(
        np.stack([example.image for example in examples]), np.stack([example.label for example in examples])
    )
