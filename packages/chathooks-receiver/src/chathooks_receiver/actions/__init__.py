"""Ready-made things for workflows to do. Each raises when it did not work, so that the worker tries again."""
