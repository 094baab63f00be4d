"""Real brokers and databases for the receiver's tests, one of each for the whole run."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import count

import pytest

from support import services
from support.services import Service, running

_NUMBERS = count(1)


@pytest.fixture
def fresh_name() -> str:
    """A name for a topic, queue or stream that no other test of the run uses."""
    return f"events{next(_NUMBERS)}"


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(services.redis_service(tmp_path_factory.mktemp("redis"))) as service:
        yield service


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(services.nats_service(tmp_path_factory.mktemp("nats"))) as service:
        yield service


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(services.rabbitmq_service(tmp_path_factory.mktemp("rabbitmq"))) as service:
        yield service


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(services.postgres_service(tmp_path_factory.mktemp("postgres"))) as service:
        yield service


@pytest.fixture(scope="session")
def kafka_servers() -> Iterator[str]:
    """`host:port` of librdkafka's mock broker, which speaks the real protocol."""
    with subprocess.Popen(
        [sys.executable, "-c", services.KAFKA_HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


@pytest.fixture(scope="session")
def sqs_endpoint() -> Iterator[str]:
    """The URL of moto's server, which answers as SQS does."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "tests")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield f"http://{host}:{port}"
        finally:
            server.stop()
