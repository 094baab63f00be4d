"""Runs of the whole server that take more than one other process: latencies, prepared stores, an import."""

import contextlib
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import msgspec

from benchmarks.calling import Api
from benchmarks.certificate import make_certificate
from benchmarks.facts import fsyncs_ms
from benchmarks.figures import percentile
from benchmarks.load import LoadSpec
from benchmarks.processes import cpu_s, resident_mib
from benchmarks.running import Told, command_of, decoded, loaded, run_side, served
from benchmarks.side import Counted, Spec
from benchmarks.stored import fill
from benchmarks.witness import Listening, Seen, WitnessSpec
from benchmarks.workload import endpoint_url
from chathooks.app.build import STORE_FILE

LATENCY_RATE = 500.0
"""Messages per second of the latency figure."""
ISOLATION_RATE = 10.0
"""Messages per second to 100 endpoints each: 1,000 deliveries per second."""
ISOLATION_ENDPOINTS = 100
PENDING_WEBHOOKS = 10
FIRST_DELIVERY_S_MAX = 10.0
POLL_S = 0.02
IMPORT_S_MAX = 900.0
PER_PAGE = 100
LIST_CALLS = 200
BYTES_PER_MIB = 1024 * 1024


def _witnessed(spec: Spec, witness: WitnessSpec) -> Counted:
    """Run server and witness; the latencies are notes."""
    with tempfile.TemporaryDirectory(dir=spec.folder) as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        made = make_certificate(folder)
        spec = msgspec.structs.replace(spec, side="post", ca_file=str(made.ca_file))
        witness = msgspec.structs.replace(
            witness, cert_file=str(made.cert_file), key_file=str(made.key_file)
        )
        watching = Told(command_of("witness", witness), folder / "witness.log")
        stack.callback(watching.close)
        ports = msgspec.json.decode(watching.answer(), type=Listening).ports
        server, port = stack.enter_context(served(spec, folder))
        with Api(port) as api:
            api.add_people()
            for place, endpoint in enumerate(ports):
                api.add_webhook(f"hook-{place}", endpoint_url(endpoint))
        fsync_ms = statistics.median(fsyncs_ms(folder))
        server.ask("begin")
        seen = msgspec.json.decode(watching.ask(f'{{"port":{port}}}'), type=Seen)
        counted = decoded(server.ask("end"))
    notes = {name: float(value) for name, value in msgspec.structs.asdict(seen).items()}
    del notes["deliveries"]
    notes["fsync_p50_ms"] = round(fsync_ms, 3)
    return msgspec.structs.replace(counted, done=seen.deliveries, notes=notes)


def run_latency(spec: Spec) -> Counted:
    """One endpoint, LATENCY_RATE messages per second."""
    witness = WitnessSpec(
        endpoints=1,
        rate=LATENCY_RATE,
        warm_seconds=spec.warm_seconds * 2,
        seconds=spec.seconds,
    )
    return _witnessed(spec, witness)


def run_isolation(spec: Spec) -> Counted:
    """ISOLATION_ENDPOINTS endpoints, of which one hangs on side "hanging"; the other 99 count on both sides."""
    witness = WitnessSpec(
        endpoints=ISOLATION_ENDPOINTS,
        hanging=1 if spec.side == "hanging" else 0,
        spared=1,
        rate=ISOLATION_RATE,
        # Long enough for the connections to be open, and for the first attempts to have timed out.
        warm_seconds=3.0,
        seconds=spec.seconds,
    )
    return _witnessed(spec, witness)


# -- prepared stores -------------------------------------------------------------------------------------


def prepare_store(spec: Spec, folder: Path, events: int, *, webhooks: int, pending: bool) -> float:
    """A data directory in `folder` with so many events, delivered or pending; answers its size in MiB."""
    first_delivery(spec, folder, webhooks)
    return fill(folder / "data", events, pending=pending) / BYTES_PER_MIB


def first_delivery(spec: Spec, folder: Path, webhooks: int) -> None:
    """Make a store in `folder`, or the spec's database, with so many webhooks that each got one message."""
    folder.mkdir()
    spec = msgspec.structs.replace(spec, side="post")
    with served(spec, folder) as (_, port), Api(port) as api:
        api.add_people()
        names = [f"hook-{place}" for place in range(webhooks)]
        for name in names:
            api.add_webhook(name, endpoint_url(spec.port))
        message = {
            "receiver": "bob",
            "receiverType": "user",
            "category": "message",
            "type": "text",
            "data": {"text": "the first"},
        }
        api.call("POST", "/v3/messages", message)
        give_up = time.monotonic() + FIRST_DELIVERY_S_MAX
        for name in names:
            path = f"/v3/webhooks/{name}/deliveries?state=delivered"
            while not api.call("GET", path)["data"]:
                if time.monotonic() > give_up:
                    raise RuntimeError("the first message of a store was not delivered")
                time.sleep(POLL_S)


def run_stored(spec: Spec, prepared: Path, *, keep: bool) -> Counted:
    """Run a side of `benchmarks.stored` on a prepared directory, or on a copy of it unless `keep`."""
    if keep:
        return run_side(msgspec.structs.replace(spec, folder=str(prepared / "data")))
    with tempfile.TemporaryDirectory(dir=spec.folder) as name:
        folder = Path(name) / "data"
        shutil.copytree(prepared / "data", folder)
        return run_side(msgspec.structs.replace(spec, folder=str(folder)))


# -- the import ------------------------------------------------------------------------------------------


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import took, and how long lists take after it."""

    per_s: float
    per_cpu_s: float
    growth_mib: float
    resident_mib: float
    store_mib: float
    first_page_p50_ms: float
    first_page_p99_ms: float
    last_page: int
    last_page_p50_ms: float
    last_page_p99_ms: float


def _list_ms(api: Api, page: int) -> list[float]:
    path = f"/v3/users?perPage={PER_PAGE}&page={page}"
    shown = api.call("GET", path)["data"]
    if len(shown) != PER_PAGE:
        raise RuntimeError(f"page {page} has {len(shown)} users")
    return sorted(api.seconds(path) * 1000 for _ in range(LIST_CALLS))


def run_import(spec: Spec, users: int) -> Imported:
    """Create `users` users through the API, then time lists."""
    with tempfile.TemporaryDirectory(dir=spec.folder) as name:
        folder = Path(name)
        spec = msgspec.structs.replace(spec, side="post")
        with served(spec, folder) as (server, port):
            before_mib = resident_mib(pid=server.pid)
            load_spec = LoadSpec(port=port, path="/v3/users", clients=spec.connections, users=users)
            used_s, began = cpu_s(server.pid), time.perf_counter()
            with loaded(load_spec, folder) as load:
                give_up = time.monotonic() + IMPORT_S_MAX
                while (done := int(load.ask())) < users:
                    if time.monotonic() > give_up:
                        raise RuntimeError(f"{done} of {users} users were created in time")
                    time.sleep(POLL_S)
            used_s, wall_s = cpu_s(server.pid) - used_s, time.perf_counter() - began
            after_mib = resident_mib("VmHWM", server.pid)
            with Api(port) as api:
                last = users // PER_PAGE
                first_ms, last_ms = _list_ms(api, 1), _list_ms(api, last)
        size = (folder / "data" / STORE_FILE).stat().st_size
    return Imported(
        per_s=round(users / wall_s),
        per_cpu_s=round(users / used_s),
        growth_mib=round(after_mib - before_mib, 1),
        resident_mib=round(after_mib, 1),
        store_mib=round(size / BYTES_PER_MIB),
        first_page_p50_ms=round(percentile(first_ms, 0.5), 2),
        first_page_p99_ms=round(percentile(first_ms, 0.99), 2),
        last_page=last,
        last_page_p50_ms=round(percentile(last_ms, 0.5), 2),
        last_page_p99_ms=round(percentile(last_ms, 0.99), 2),
    )
