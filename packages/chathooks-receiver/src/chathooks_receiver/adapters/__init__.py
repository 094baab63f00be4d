"""The same endpoint in each web framework. An adapter reads the raw body itself, up to the limit, and nothing else."""
