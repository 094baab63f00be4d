"""The sender alone: `EgressClient.send` at a fixed number of requests in flight.

Side "client" sends one request made beforehand over and over, as the bare loop does; side "sender" also makes and
signs each request, as the engine does for every attempt.
"""

from benchmarks.side import Counted, Spec, Window
from benchmarks.workload import POLICY, USER_AGENT, candidate, one_request, prepared_endpoint
from chathooks.delivery.payload import build
from chathooks.egress.client import EgressClient
from chathooks.egress.exchange import Exchange
from chathooks.egress.resolver import Resolver
from chathooks.kernel.clock import SystemClock


async def run(spec: Spec) -> Counted:
    """Send until the window ends. Raises RuntimeError where a request is not answered with 200."""
    resolver = Resolver()
    client = EgressClient(
        POLICY,
        resolver=resolver,
        user_agent=USER_AGENT,
        ca_file=spec.ca_file,
        connections_max=spec.connections * 2,
    )
    await client.start()
    endpoint = prepared_endpoint(spec.port)
    target = endpoint.target
    assert target is not None
    made = one_request(spec.port)
    makes = spec.side == "sender"
    now_ms = SystemClock().wall_ms
    done = begun = 0
    sending = True
    wrong: list[Exchange] = []

    def send() -> None:
        nonlocal begun
        begun += 1
        headers, body = build(endpoint, candidate(begun), now_ms()) if makes else made
        client.post(target, headers, body, done=on_done)

    def on_done(exchange: Exchange) -> None:
        nonlocal done
        done += 1
        if exchange.status != 200:
            wrong.append(exchange)
        elif sending:
            send()

    window = Window(spec, lambda: done)
    for _ in range(spec.connections):
        send()
    counted = await window.measure()
    sending = False
    await client.close(2.0)
    resolver.close()
    if wrong:
        raise RuntimeError(f"a request was not answered with 200: {wrong[0]}")
    return counted
