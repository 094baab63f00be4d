"""The demo from beginning to end: set up, play, watch, judge, stay, clean up."""

import asyncio
from contextlib import AsyncExitStack

from chathooks.demo.hints import next_steps
from chathooks.demo.plan import WEBHOOKS, expected_deliveries
from chathooks.demo.screen import PlainScreen, Screen, save_picture
from chathooks.demo.stage import DemoOptions, Stage, set_stage
from chathooks.demo.story import STORY
from chathooks.demo.summary import Summary, summarise
from chathooks.demo.table import View
from chathooks.demo.watch import LogWatch
from chathooks.kernel.errors import ChathooksError

POLL_S = 0.2
POLL_FAST_S = 0.05
STAYING_POLL_S = 0.5
SETTLE_MARGIN_S = 30.0
"""What all may take beyond the conversation's pauses and the retry schedule; afterwards the demo judges what it has."""

_MS_PER_S = 1000


class Demo:
    """One run. `summary` is there once every delivery has ended, or the time for it is over."""

    def __init__(self, options: DemoOptions, screen: Screen, afterwards: PlainScreen) -> None:
        """Show the conversation on `screen`, and what comes after it on `afterwards`."""
        self._options = options
        self._screen = screen
        self._afterwards = afterwards
        self._told: list[tuple[str, str]] = []
        self.summary: Summary | None = None

    async def perform(self) -> None:
        """Run; with `once` until the last delivery has ended, else until cancelled. Cleans up either way.

        Raises:
            StartRefused: the server or the endpoint cannot start as asked.
            ChathooksError: a call to the server was refused or not answered.
            OSError: the picture cannot be written.
        """
        async with AsyncExitStack() as stack:
            stage = await set_stage(stack, self._options, self._screen.say)
            stack.callback(self._screen.close)
            watch = LogWatch(stage.api, [webhook.id for webhook in WEBHOOKS])
            self.summary = await self._follow(stage, watch)
            self._screen.close()
            self._tell_verdict(self.summary)
            if not self._options.once:
                self._tell_next_steps(stage, self.summary)
                await self._stay(watch, stage)

    async def _play(self, stage: Stage) -> None:
        remembered: dict[str, str] = {}
        for step in STORY:
            if not self._options.fast:
                await asyncio.sleep(step.pause_s)
            data = await stage.api.call(
                step.method, step.path.format(**remembered), step.body, on_behalf_of=step.by
            )
            if step.remember is not None:
                remembered[step.remember] = data["id"]
            self._told.append((step.by, step.tells))
            self._screen.told(step.by, step.tells)

    async def _follow(self, stage: Stage, watch: LogWatch) -> Summary:
        """Play and show until every expected delivery has ended or the time is over."""
        began_ms = stage.clock.steady_ms()
        failures: list[str] = []
        pauses_s = 0.0 if self._options.fast else sum(step.pause_s for step in STORY)
        poll_s = POLL_FAST_S if self._options.fast else POLL_S
        playing = asyncio.create_task(self._play(stage))
        try:
            async with asyncio.timeout(pauses_s + sum(stage.retry_schedule_s) + SETTLE_MARGIN_S):
                while True:
                    if await self._show(stage, watch, playing):
                        break
                    await asyncio.sleep(poll_s)
            # What the endpoints took before this poll must be in the log after it.
            accepted = stage.endpoint.accepted()
            await watch.poll()
        except TimeoutError:
            accepted = stage.endpoint.accepted()
            failures.append("not every delivery ended in the time that there was for it")
        except ChathooksError as error:
            accepted = stage.endpoint.accepted()
            failures.append(error.message)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        if self._options.picture is not None:
            save_picture(self._view(stage, watch, playing=False, done=True), self._options.picture)
        return summarise(
            url=stage.url,
            seconds=(stage.clock.steady_ms() - began_ms) / _MS_PER_S,
            deliveries=watch.deliveries,
            accepted=accepted,
            failures=failures,
        )

    async def _show(self, stage: Stage, watch: LogWatch, playing: asyncio.Task[None]) -> bool:
        """Poll and show; answers whether all is over."""
        played = playing.done()
        changed = await watch.poll()
        if played:
            playing.result()
        expected = sum(sum(triggers.values()) for triggers in expected_deliveries().values())
        done = (
            played
            and len(watch.deliveries) >= expected
            and all(delivery.settled for delivery in watch.deliveries)
        )
        self._screen.update(self._view(stage, watch, playing=not played, done=done), changed)
        return done

    def _view(self, stage: Stage, watch: LogWatch, *, playing: bool, done: bool) -> View:
        return View(
            url=stage.url,
            deliveries=watch.deliveries,
            now_ms=stage.clock.wall_ms(),
            told=self._told,
            playing=playing,
            done=done,
        )

    def _tell_verdict(self, summary: Summary) -> None:
        say = self._afterwards.say
        if summary.ok:
            say(
                f"\n[bold green]Every event arrived:[/] {summary.events} events, {summary.deliveries} deliveries, "
                "each accepted by its endpoint."
            )
            return
        say("\n[bold red]Not every event arrived:[/]")
        for gap in summary.missing:
            self._afterwards.told("-", gap)

    def _tell_next_steps(self, stage: Stage, summary: Summary) -> None:
        say = self._afterwards.say
        retried = summary.retried[0].id if summary.retried else None
        say("\n[bold]What to type next[/] (in another terminal; the key is for this demo only)")
        for what, command in next_steps(stage.url, stage.api_key, retried, WEBHOOKS[0].id):
            say(f"\n[green]{what}[/]")
            self._afterwards.command(command)
        say(f"\n[green]Read about every call[/]\n  {stage.url}/docs")
        say("\n[green]Write an endpoint of your own[/]\n  docs/tutorial/first-webhook.md")
        removes = " and removes what the demo made" if self._options.data_dir is None else ""
        say(f"\nThe server stays up; [bold]Ctrl-C[/] ends it{removes}.\n")

    async def _stay(self, watch: LogWatch, stage: Stage) -> None:
        while True:
            changed = await watch.poll()
            self._afterwards.update(self._view(stage, watch, playing=False, done=True), changed)
            await asyncio.sleep(STAYING_POLL_S)
