"""Events as lines of a file: one JSON object each, on disk (fsync) before the event is accepted.

A crash can leave half a line at the end; opening the file cuts it off, since nobody was told that it is stored.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import msgspec

from chathooks_receiver.intake import Arrival
from chathooks_receiver.sinks import SinkUnavailable

BATCH_MAX = 512
"""Lines that share one fsync."""
TAIL_BYTES = 65_536


class JsonLinesSink:
    """Appends to `path`; one process a file. A line: `key`, `stream`, `trigger`, `receivedAt` (ms), `headers`, `body`."""

    def __init__(self, path: Path | str) -> None:
        """Name the file."""
        self._path = Path(path)
        self._file: BinaryIO | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the file, and cut off a line that a crash left unfinished. Raises `SinkUnavailable`."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="jsonlines")
        loop = asyncio.get_running_loop()
        try:
            self._file = await loop.run_in_executor(self._thread, _open_whole, self._path)
        except OSError as error:
            await self.close()
            raise SinkUnavailable(f"{self._path} cannot be opened: {error}") from None

    async def put(self, arrival: Arrival) -> bool:
        """Append a line; returns when it is on disk. Raises `SinkUnavailable`."""
        if self._file is None:
            raise SinkUnavailable(f"{self._path} is not open.")
        line = msgspec.json.encode(
            {
                "key": arrival.key,
                "stream": arrival.stream,
                "trigger": arrival.event.trigger,
                "receivedAt": arrival.received_at_ms,
                "headers": arrival.headers,
                "body": msgspec.Raw(_on_one_line(arrival.body)),
            }
        )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append((line + b"\n", future))
        if self._writing is None:
            self._writing = loop.create_task(self._write_batches())
        await future
        return True

    async def _write_batches(self) -> None:
        try:
            while self._waiting and self._file is not None:
                batch = self._waiting[:BATCH_MAX]
                del self._waiting[:BATCH_MAX]
                lines = b"".join(line for line, future in batch if not future.cancelled())
                error: Exception | None = None
                try:
                    await asyncio.get_running_loop().run_in_executor(
                        self._thread, _append, self._file, lines
                    )
                except OSError as reason:
                    error = SinkUnavailable(f"{self._path} cannot be written: {reason}")
                for _, future in batch:
                    if not future.done():
                        future.set_result(None) if error is None else future.set_exception(error)
        finally:
            self._writing = None

    async def close(self) -> None:
        """Write what waits and close the file."""
        while self._writing is not None:
            await asyncio.wait({self._writing})
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None


def _on_one_line(body: bytes) -> bytes:
    # Outside of strings JSON allows line breaks as white space, and inside them only as escapes.
    return body.replace(b"\n", b" ").replace(b"\r", b" ")


def _append(file: BinaryIO, lines: bytes) -> None:
    end = file.seek(0, os.SEEK_END)
    try:
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    except OSError:
        # Half a batch would be half a line: what was refused must not stand before what is accepted next.
        file.truncate(end)
        raise


def _open_whole(path: Path) -> BinaryIO:
    file = path.open("a+b", buffering=0)
    end = file.seek(0, os.SEEK_END)
    keep = end
    while keep > 0:
        start = max(0, keep - TAIL_BYTES)
        file.seek(start)
        chunk = file.read(keep - start)
        newline = chunk.rfind(b"\n")
        if newline >= 0:
            keep = start + newline + 1
            break
        keep = start
    if keep < end:
        file.truncate(keep)
    return file
