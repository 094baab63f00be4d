"""Fixtures for tests of an endpoint; installed with the distribution, found by pytest by itself."""

import pytest

from chathooks_receiver.testing import FakeSender


@pytest.fixture
def chathooks_sender() -> FakeSender:
    """A sender with the credentials and the secret of `chathooks_receiver.testing`."""
    return FakeSender()
