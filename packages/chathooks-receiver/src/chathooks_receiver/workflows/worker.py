"""Runs the handlers of workflows on the jobs of a queue.

What happens at a crash: the lease of a job lapses and the job runs again; handlers that were through may then run a second
time, since their success is recorded together with the job.
"""

import asyncio
import inspect
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from chathooks_events.envelope import decode_body
from chathooks_events.errors import MalformedBody
from chathooks_receiver.queue import TIMER_PREFIX, Job, Queue, QueueUnavailable
from chathooks_receiver.sinks import told
from chathooks_receiver.workflows.registry import Argument, Context, GiveUp, Handler, Workflows

CONCURRENCY_MAX = 16
"""Jobs, and so streams, that run at once."""
LEASE_S = 30.0
POLL_S = 1.0
"""How often to look for work that nobody told of: timers, retries and other processes' events."""
HANDLER_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """When to try a job again: after `first_s` seconds, doubling up to `most_s`; `attempts` in all.

    Each delay is shortened by up to `jitter` of it, so that what failed together does not come back together.
    """

    attempts: int = 8
    first_s: float = 1.0
    most_s: float = 600.0
    jitter: float = 0.2

    def delay_s(self, attempt: int, randomness: random.Random) -> float | None:
        """Seconds to wait after the failed `attempt` (from 1), or None after the last one."""
        if attempt >= self.attempts:
            return None
        delay_s: float = min(self.first_s * 2.0 ** min(attempt - 1, 60), self.most_s)
        return delay_s * (1 - self.jitter * randomness.random())


class Worker:
    """Runs `workflows` on `queue` from `start` to `stop`."""

    def __init__(
        self,
        queue: Queue,
        workflows: Workflows,
        *,
        policy: RetryPolicy | None = None,
        concurrency: int = CONCURRENCY_MAX,
        lease_s: float = LEASE_S,
        poll_s: float = POLL_S,
        handler_timeout_s: float = HANDLER_TIMEOUT_S,
        now_s: Callable[[], float] = time.time,
        randomness: random.Random | None = None,
    ) -> None:
        """Keep what is run on what.

        `concurrency` bounds how many jobs run at once, `handler_timeout_s` how long one handler may take. A lease of `lease_s`
        seconds is renewed while its job runs. `randomness` spreads retries.
        """
        self._queue = queue
        self._workflows = workflows
        self._policy = policy or RetryPolicy()
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._handler_timeout_s = handler_timeout_s
        self._now_s = now_s
        self._randomness = randomness or random.Random()  # noqa: S311 - it spreads retries
        self._threads: ThreadPoolExecutor | None = None
        self._running: dict[asyncio.Task[None], Job] = {}
        self._wake = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []
        self.handled = 0
        """Jobs that went through."""
        self.failed = 0
        """Attempts that did not."""
        self.buried = 0
        """Jobs that were set aside."""

    async def __aenter__(self) -> "Worker":
        """Start."""
        self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stop."""
        await self.stop()

    def wake(self) -> None:
        """Look for work now: there is some."""
        self._wake.set()

    async def waiting(self) -> int:
        """How many jobs wait or run. Raises `QueueUnavailable`."""
        return await self._queue.waiting()

    def start(self) -> None:
        """Begin. Call it on a running event loop."""
        self._threads = ThreadPoolExecutor(self._concurrency, thread_name_prefix="workflow")
        loop = asyncio.get_running_loop()
        self._loops = [loop.create_task(self._run()), loop.create_task(self._keep_leases())]

    async def stop(self) -> None:
        """Take no more jobs, give those that run ten seconds, then end; what is unfinished runs again later."""
        for task in self._loops:
            task.cancel()
        if self._loops:
            await asyncio.wait(self._loops)
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_TIMEOUT_S)
        for task in list(self._running):
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._loops = []

    async def run_due(self) -> int:
        """Run what is due now until nothing is; how many jobs that were. For tests and for runs from a scheduler."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._concurrency, thread_name_prefix="workflow")
        count = 0
        while jobs := await self._queue.lease(self._concurrency, self._lease_s):
            await asyncio.gather(*(self._process(job) for job in jobs))
            count += len(jobs)
        return count

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                free = self._concurrency - len(self._running)
                jobs = await self._queue.lease(free, self._lease_s) if free else []
            except QueueUnavailable as error:
                log.warning("The queue cannot be read: %s", told(error))
                jobs = []
            for job in jobs:
                task = asyncio.get_running_loop().create_task(self._process(job))
                self._running[task] = job
                task.add_done_callback(self._ended)
            if not jobs:
                try:
                    async with asyncio.timeout(self._poll_s):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("A job could not be settled.", exc_info=task.exception())

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._lease_s / 3)
            jobs = list(self._running.values())
            if jobs:
                try:
                    await self._queue.extend(jobs, self._lease_s)
                except QueueUnavailable as error:
                    log.warning("Leases cannot be renewed: %s", told(error))

    async def _process(self, job: Job) -> None:
        finished = list(job.finished)
        errors: list[str] = []
        hopeless = False
        try:
            argument = _argument(job)
        except (MalformedBody, msgspec.DecodeError) as error:
            self.buried += 1
            await self._queue.bury(job, f"cannot be read: {error}")
            return
        context = Context(job, self._queue, self._now_s)
        for name, handler in self._workflows.handlers_of(job.kind).items():
            if name in finished:
                continue
            try:
                async with asyncio.timeout(self._handler_timeout_s):
                    await self._call(handler, argument, context)
                finished.append(name)
            except Exception as error:
                hopeless |= isinstance(error, GiveUp)
                errors.append(f"{name}: {told(error)}")
                log.warning("Handler %s failed on %s, attempt %d.", name, job.kind, job.attempt)
        await self._settle(job, finished, errors, hopeless)

    async def _settle(
        self, job: Job, finished: list[str], errors: list[str], hopeless: bool
    ) -> None:
        if not errors:
            self.handled += 1
            await self._queue.done(job)
            return
        self.failed += 1
        text = "; ".join(errors)
        delay_s = None if hopeless else self._policy.delay_s(job.attempt, self._randomness)
        if delay_s is None:
            self.buried += 1
            await self._queue.bury(job, text)
        else:
            await self._queue.retry(job, delay_s, text, finished)

    async def _call(self, handler: Handler, argument: Argument, context: Context) -> None:
        if inspect.iscoroutinefunction(handler):
            await handler(argument, context)
            return
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._threads, handler, argument, context)
        if inspect.isawaitable(result):
            await result


def _argument(job: Job) -> Argument:
    if job.kind.startswith(TIMER_PREFIX):
        return msgspec.json.decode(job.body)
    return decode_body(job.body)
