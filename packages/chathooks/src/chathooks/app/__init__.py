"""Settings and the composition root: the only importer of adapters."""
