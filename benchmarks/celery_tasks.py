"""The Celery application that is measured beside Chathooks: one task that posts a delivery with requests.

What is set favours Celery where there is a choice: a session per worker process, nothing read from the environment, no
results, no signature, and Redis keeps the queue in memory. Acknowledged late, as at-least-once delivery needs it.
"""

import os
from typing import Any

import requests
from celery import Celery
from celery.signals import worker_process_init

from benchmarks.celery_side import BROKER, CA_FILE

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


@worker_process_init.connect  # type: ignore[untyped-decorator]  # Celery has no types
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
