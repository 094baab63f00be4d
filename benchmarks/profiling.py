"""Where the time of a side goes: by calls (cProfile, exact but distorting) or by samples of CPU time (light).

Samples are taken by a CPU timer's signal, which Python handles between two of its own instructions: time spent in C
is charged to the line that called it.
"""

import cProfile
import io
import pstats
import signal
from collections import Counter
from pathlib import Path
from types import FrameType

TOP = 25
SAMPLE_S = 0.001


class Profiler:
    """One profile of this process; `kind` is "calls", "samples" or empty for none."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._calls = cProfile.Profile()
        self._functions: Counter[str] = Counter()
        self._lines: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to note."""
        if self._kind == "calls":
            self._calls.enable()
        elif self._kind == "samples":
            signal.signal(signal.SIGPROF, self._sample)
            signal.siginterrupt(signal.SIGPROF, False)
            signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)

    def stop(self) -> str:
        """End; answers the top of the profile by own time as text."""
        if self._kind == "calls":
            self._calls.disable()
            return self._shown_calls()
        if self._kind == "samples":
            signal.setitimer(signal.ITIMER_PROF, 0)
            return self._shown_samples()
        return ""

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        code = frame.f_code
        place = f"{_short(code.co_filename)}"
        self._functions[f"{place}:{code.co_qualname}"] += 1
        self._lines[f"{place}:{frame.f_lineno} {code.co_name}"] += 1

    def _shown_calls(self) -> str:
        out = io.StringIO()
        stats = pstats.Stats(self._calls, stream=out)
        stats.sort_stats("tottime").print_stats(TOP)
        lines = (_short_line(line) for line in out.getvalue().splitlines())
        return "\n".join(line for line in lines if line.strip())

    def _shown_samples(self) -> str:
        total = sum(self._functions.values()) or 1
        parts = [f"{total} samples of {SAMPLE_S * 1000:g} ms CPU time"]
        for title, counter in (("own time by function", self._functions), ("by line", self._lines)):
            parts.append(f"\n{title}")
            parts += [f"{n / total:6.1%}  {name}" for name, n in counter.most_common(TOP)]
        return "\n".join(parts)


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-3:])


def _short_line(line: str) -> str:
    head, slash, rest = line.partition(" /")
    return f"{head} {_short('/' + rest)}" if slash else line
