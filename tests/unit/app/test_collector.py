"""The garbage collector of a server still collects."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from chathooks.app.collector import YOUNG_OBJECTS_MAX, tune_collector


class _Ring:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector_as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_rings_that_nothing_refers_to_are_freed_without_being_asked() -> None:
    tune_collector()
    ring = weakref.ref(_Ring())
    kept = [[number] for number in range(2 * YOUNG_OBJECTS_MAX)]
    assert ring() is None
    assert len(kept) == 2 * YOUNG_OBJECTS_MAX


def test_what_was_there_before_is_left_out_of_collections() -> None:
    before = gc.get_freeze_count()
    tune_collector()
    assert gc.get_freeze_count() > before
