"""The garbage collector's thresholds for a server: what a start made lives as long as the process."""

import gc

YOUNG_OBJECTS_MAX = 20_000
"""Objects made and not freed before the young generation is looked through; CPython's own is 700.

Nearly all garbage of requests and deliveries is freed by reference counts; what waits for answers and for the disk
at one time is several thousand objects, so that the collector would look through it over and over.
"""
YOUNG_COLLECTIONS_MAX = 20
MIDDLE_COLLECTIONS_MAX = 50


def tune_collector() -> None:
    """Leave what exists now out of all later collections, and collect more rarely; for the whole process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_MAX, YOUNG_COLLECTIONS_MAX, MIDDLE_COLLECTIONS_MAX)
