"""Batches by number: nothing dropped, nothing twice, the same whoever computes them."""

import threading
import time

import numpy as np
import pytest

from jaxconv.data import (
    VOID,
    Augmentation,
    Classes,
    Example,
    Prefetcher,
    Stream,
    digit_images,
    downsample_example,
    downsample_image,
)
from jaxconv.data.batches import iterate_batches, prefetch_batches
from jaxconv.errors import DataError, OptionError


class Numbers:
    """Images that hold their number, and count how often they are read."""

    classes, in_features, task = Classes(("a", "b"), ((0, 0, 0), (9, 9, 9))), 2, "segmentation"

    def __init__(self, n, sizes=((4, 6),)):
        self.n, self.sizes, self.reads = n, sizes, []

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        self.reads.append(index)
        rng = np.random.default_rng(index)
        size = self.sizes[index % len(self.sizes)]
        image = rng.uniform(size=(*size, 2)).astype(np.float32)
        image[0, 0, 0] = index / 1000
        return Example(f"n{index}", image, rng.integers(2, size=size, dtype=np.int32))


CHANGES = Augmentation(flip=0.5, scale=(0.5, 2.0), crop=(5, 5), contrast=0.3)


def numbers(batch):
    return np.rint(batch.images[:, 0, 0, 0] * 1000).astype(int).tolist()


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


def test_every_epoch_has_every_example_once():
    stream = Stream(Numbers(10), 4, seed=3)
    order = [n for step in range(10) for n in numbers(stream.batch(step))]
    epochs = [order[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert [n for step in range(10) for n in stream.indices(step)] == order


def test_a_batch_larger_than_the_data_set():
    assert np.bincount(numbers(Stream(Numbers(3), 8).batch(0))).tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])


def test_a_batch_depends_on_seed_and_step_alone():
    stream, again = (Stream(Numbers(10), 4, augmentation=CHANGES, seed=3, cache_bytes=n) for n in (0, 10**9))
    again.batch(5)
    again.batch(2)
    batch = stream.batch(2)
    assert same(batch, again.batch(2))
    assert same(batch, stream.batch(2))
    assert batch.images.shape == (4, 5, 5, 2)
    assert (batch.images.dtype, batch.labels.dtype) == (np.float32, np.int32)
    for other in (stream.batch(3), Stream(Numbers(10), 4, augmentation=CHANGES, seed=4).batch(2)):
        assert not same(batch, other)


def test_the_same_example_changes_from_epoch_to_epoch():
    stream = Stream(Numbers(1), 2, augmentation=CHANGES)
    images = [image.tobytes() for step in range(4) for image in stream.batch(step).images]
    assert len(set(images)) == 8


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_parts_make_the_whole(count):
    stream = Stream(Numbers(10), 6, augmentation=CHANGES, seed=1)
    parts = [stream.batch(7, (share, count)) for share in range(count)]
    assert same(stream.batch(7), [np.concatenate(arrays) for arrays in zip(*parts, strict=True)])


def test_part_loads_only_its_own_examples():
    dataset = Numbers(10)
    stream = Stream(dataset, 6)
    stream.batch(0, (1, 3))
    assert dataset.reads == stream.indices(0)[2:4]


def test_the_cache_keeps_what_fits():
    one = 4 * 6 * 2 * 4 + 4 * 6  # image in float32, labels in bytes
    for room, kept in ((0, 0), (one - 1, 0), (3 * one, 3), (100 * one, 5)):
        dataset = Numbers(5)
        stream = Stream(dataset, 5, cache_bytes=room)
        first = stream.batch(0)
        stream.batch(1)
        assert len(dataset.reads) == 10 - kept
        assert same(first, stream.batch(0))


def test_void_survives_the_cache():
    dataset = Numbers(1)
    void = Example("v", np.zeros((2, 3, 2), np.float32), np.full((2, 3), VOID, np.int32))
    dataset.__class__ = type("Void", (Numbers,), {"__getitem__": lambda self, index: void})
    stream = Stream(dataset, 1)
    for step in range(2):
        assert (stream.batch(step).labels == VOID).all()


@pytest.mark.parametrize("shrink", [1, 2, 3, 5])
def test_shrinking_averages_cells(rng, shrink):
    image = rng.uniform(size=(7, 10, 3)).astype(np.float32)
    label = rng.integers(9, size=(7, 10), dtype=np.int32)
    small = downsample_example(Example("", image, label), shrink)
    rows, columns = -(-7 // shrink), -(-10 // shrink)
    assert small.image.shape == (rows, columns, 3)
    assert small.image.dtype == np.float32
    for r in range(rows):
        for c in range(columns):
            ys, xs = (
                [min(shrink * place + n, size - 1) for n in range(shrink)]
                for place, size in ((r, 7), (c, 10))
            )
            mean = np.mean([image[y, x].astype(np.float64) for y in ys for x in xs], axis=0)
            # A sum of shrink^2 terms of at most 1.
            np.testing.assert_allclose(
                small.image[r, c], mean, rtol=0, atol=shrink**2 * np.finfo(np.float32).eps
            )
            assert small.label[r, c] == label[ys[shrink // 2], xs[shrink // 2]]
    streamed = Stream(Numbers(1, sizes=((7, 10),)), 1, shrink=shrink).batch(0)
    np.testing.assert_array_equal(
        streamed.images[0], downsample_image(Numbers(1, sizes=((7, 10),))[0].image, shrink)
    )


def test_sizes_that_no_batch_holds():
    stream = Stream(Numbers(10, sizes=((4, 6), (5, 6))), 8)
    with pytest.raises(DataError, match=r"n\d is \(4, 6, 2\), n\d \(5, 6, 2\)|crop"):
        stream.batch(0)
    assert Stream(stream.dataset, 8, augmentation=CHANGES).batch(0).images.shape == (8, 5, 5, 2)


def test_prefetch_gives_the_stream():
    stream = Stream(Numbers(10), 4, augmentation=CHANGES)
    with prefetch_batches(stream, 3, 12, part=(1, 2), workers=3, depth=5) as found:
        for (step, batch), expected in zip(found, range(3, 12), strict=True):
            assert step == expected
            assert same(batch, stream.batch(expected, (1, 2)))
    assert not threads()


def test_prefetch_works_depth_results_ahead():
    started = []
    ahead = Prefetcher(started.append, range(100), workers=2, depth=3)
    next(ahead)
    deadline = time.monotonic() + 10
    while len(started) < 4 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert started == [0, 1, 2, 3]
    ahead.close()
    assert not threads()
    with pytest.raises(StopIteration):
        next(ahead)


def test_waiting_time_is_measured():
    gate = threading.Event()
    threading.Timer(0.05, gate.set).start()
    with Prefetcher(lambda n: gate.wait(10), range(2), workers=1, depth=2) as slow:
        next(slow)
        assert slow.waited >= 0.04
        before = slow.waited
        time.sleep(0.05)  # the consumer's own time is none of it
        next(slow)
        assert slow.waited - before < 0.04


def test_an_exception_is_raised_where_its_result_is_due():
    def work(n):
        if n == 3:
            raise DataError("file 3 is gone")
        return n

    ahead, taken = Prefetcher(work, range(10), workers=2, depth=4), []
    with pytest.raises(DataError, match="file 3"):
        taken.extend(iter(ahead.__next__, None))
    assert taken == [0, 1, 2]
    assert not threads()
    with Prefetcher(work, range(10)) as again:
        for n in again:
            taken.append(n)
            if n == 2:
                break
    assert taken == [0, 1, 2] * 2
    assert not threads()


def test_evaluation_has_every_example_once_in_order():
    dataset = Numbers(7)
    found = list(iterate_batches(dataset, 3))
    assert [count for _, count in found] == [3, 3, 1]
    assert [n for batch, count in found for n in numbers(batch)[:count]] == list(range(7))
    last, _ = found[-1]
    assert last.images.shape == (3, 4, 6, 2)
    assert (last.labels[1:] == VOID).all()
    np.testing.assert_array_equal(last.images[1], last.images[0])
    np.testing.assert_array_equal(last.labels[0], dataset[6].label)


def test_evaluation_keeps_sizes_apart_and_labels_whole():
    dataset = Numbers(6, sizes=((4, 6), (4, 6), (5, 7)))
    found = list(iterate_batches(dataset, 4, shrink=2))
    assert [count for _, count in found] == [2, 1, 2, 1]
    assert [batch.images.shape for batch, _ in found] == [(4, 2, 3, 2), (4, 3, 4, 2)] * 2
    assert [batch.labels.shape for batch, _ in found] == [(4, 4, 6), (4, 5, 7)] * 2


def test_classification():
    digits = digit_images("val")
    assert Stream(digits, 5).batch(0).labels.shape == (5,)
    *_, (last, count) = iterate_batches(digits, 100)
    assert count == 25
    assert last.labels.shape == (100,)
    assert (last.labels[25:] == VOID).all()


def test_bad_numbers():
    for options in ({"batch_size": 0}, {"seed": -1}, {"shrink": 0}, {"cache_bytes": -1}):
        with pytest.raises(OptionError, match=next(iter(options))):
            Stream(Numbers(3), **{"batch_size": 2, **options})
    with pytest.raises(DataError, match="at least one example"):
        Stream(Numbers(0), 2)
    stream = Stream(Numbers(3), 4)
    for step, part in ((-1, (0, 1)), (0, (1, 1)), (0, (0, 3)), (0, (-1, 2))):
        with pytest.raises(OptionError, match="`step`" if step < 0 else "divides"):
            stream.batch(step, part)
    with pytest.raises(OptionError, match="depth=0"):
        prefetch_batches(stream, 0, 1, depth=0)
    with pytest.raises(OptionError, match="size=0"):
        next(iterate_batches(stream.dataset, 0))
    with pytest.raises(OptionError, match="shrink"):
        downsample_image(np.zeros((2, 2, 1), np.float32), 0)
