"""The Celery application that is measured beside Chathooks: one task that posts a delivery with requests.

What is set favours Celery where there is a choice: a session per worker process, nothing read from the environment, no
results, no signature, and Redis keeps the queue in memory. Acknowledged late, as at-least-once delivery needs it.
"""

import os
from typing import Any

import requests
from celery import Celery  # type: ignore[import-untyped]  # it has no types
from celery.signals import (  # type: ignore[import-untyped]  # likewise
    worker_process_init,
)

BROKER = "CHATHOOKS_BENCH_BROKER"
CA_FILE = "CHATHOOKS_BENCH_CA_FILE"
TIMEOUT_S = 2.0

app = Celery("benchmark", broker=os.environ[BROKER])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=16,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)
_sessions: list[requests.Session] = []


@worker_process_init.connect  # type: ignore[untyped-decorator]  # likewise
def _open_session(**_: Any) -> None:
    session = requests.Session()
    session.verify = os.environ[CA_FILE]
    session.trust_env = False
    _sessions[:] = [session]


@app.task(name="deliver")  # type: ignore[untyped-decorator]  # likewise
def deliver(url: str, headers: dict[str, str], body: str) -> None:
    """Post once; what is not answered with 200 fails the task."""
    answer = _sessions[0].post(url, data=body, headers=headers, timeout=TIMEOUT_S)
    if answer.status_code != requests.codes.ok:
        raise RuntimeError(f"a request was answered with {answer.status_code}")
