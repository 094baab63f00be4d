"""What the benchmarks write down, and the table of the documentation."""

from pathlib import Path

import msgspec
import pytest
from benchmarks import report
from benchmarks.capacity_report import Capacity, Measured, markdown
from benchmarks.facts import Facts
from benchmarks.figures import Row, Target, row, spread_of

ROOT = Path(__file__).resolve().parents[3]

FACTS = Facts(
    cores=2,
    cpu="a CPU",
    system="a system",
    python="CPython 3.11",
    libcurl="PycURL/7",
    sqlite="3.40",
    fsync_p50_ms=0.2,
    fsync_p95_ms=0.4,
    load_average=0.1,
)


def made(*rows: Row, command: str = "python -m benchmarks") -> report.Report:
    return report.Report(
        command=command,
        date="2026-01-01T00:00:00+00:00",
        version="1",
        endpoint="nginx over TLS",
        seconds=10.0,
        rounds=5,
        connections=64,
        took_s=600.0,
        facts=FACTS,
        facts_after=FACTS,
        rows=list(rows),
    )


def test_costs_are_a_table_for_each_part_with_the_columns_that_its_rows_have() -> None:
    rows = [
        Measured(part="retries", name="none", store="sqlite", costs={"rss_mib": 91.44}),
        Measured(
            part="retries",
            name="many",
            store="postgres",
            costs={"rss_mib": 102.0, "own_us": 1234.5},
        ),
        Measured(part="commands", name="alone", store="sqlite", costs={"own_cpu_s": 1.0}),
    ]
    made = Capacity(
        command="python -m benchmarks.capacity",
        date="2026-01-01",
        facts=FACTS,
        load_average_after=0.5,
        rows=rows,
        skipped={},
        failed={},
    )
    lines = markdown(made).splitlines()
    assert lines[lines.index("|  | store | rss mib | CPU of the process, µs |") + 2 :][:2] == [
        "| none | sqlite | 91.4 |  |",
        "| many | postgres | 102 | 1,234 |",
    ]
    assert "| alone | sqlite |" in lines
    assert not any("own cpu" in line for line in lines)


def post(value: float, control: float = 1.0) -> Row:
    return row(
        "3",
        "post ÷ trivial",
        [value - 0.01, value, value + 0.01],
        target=Target(at_least=0.3, text="≥ 0.30"),
        control=spread_of([control]),
        notes={"per_cpu_s": 12_345.0},
    )


def test_the_table_tells_spread_target_verdict_and_control() -> None:
    table = report.markdown([made(post(0.35))])
    assert "| 3 | post ÷ trivial | 0.35 (0.34 to 0.36) | ≥ 0.30 | met | 1.00 |" in table
    assert (
        "`python -m benchmarks`, 2026-01-01T00:00:00+00:00, 5 rounds of 10 s, 10 minutes." in table
    )
    assert "- 3, post ÷ trivial: per cpu s 12,345." in table
    assert "pycurl/7" in table


def test_what_was_missed_or_is_void_stands_out() -> None:
    assert "| MISSED |" in report.markdown([made(post(0.2))])
    assert "| VOID |" in report.markdown([made(post(0.4, control=1.3))])


def test_of_several_runs_the_last_one_s_rows_count_in_the_order_of_figures() -> None:
    memory = row("6", "memory", [11.4], unit="MiB")
    rows = report.merged_rows([made(memory, post(0.2)), made(post(0.4))])
    assert [(found.figure, found.value.median) for found in rows] == [("3", 0.4), ("6", 11.4)]


@pytest.mark.parametrize(
    ("unit", "values", "shown"),
    [
        ("ratio", [0.5, 0.25, 0.75], "0.50 (0.25 to 0.75)"),
        ("ms", [1.234], "1.23 ms"),
        ("MiB", [1234.5, 1000, 2000], "1,234 MiB (1,000 to 2,000)"),
        ("per s", [9_876.0], "9,876 per s"),
    ],
)
def test_values_are_shown_with_their_unit(unit: str, values: list[float], shown: str) -> None:
    assert report.shown_spread(spread_of(values), unit) == shown


def test_the_table_replaces_what_stood_between_the_marks_and_nothing_else() -> None:
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    new = report.put_between_marks(page, "the table\n")
    assert new == f"before\n{report.BEGIN}\n\nthe table\n\n{report.END}\nafter\n"
    assert report.put_between_marks(new, "the table\n") == new


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="figures: begin"):
        report.put_between_marks("nothing", "table")


def test_the_page_of_the_documentation_has_the_marks() -> None:
    page = (ROOT / report.PAGE).read_text("utf-8")
    assert "new" in report.put_between_marks(page, "new")


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "results" / "bench-20260101T000000Z.json"
    report.write(made(post(0.3)), path)
    assert report.read(path) == made(post(0.3))
    assert msgspec.json.decode(path.read_bytes())["rows"][0]["verdict"] == "met"


def test_the_newest_report_is_the_one_with_the_latest_date(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make bench"):
        report.newest(tmp_path)
    for day in (2, 10, 9):
        (tmp_path / f"bench-202601{day:02d}T000000Z.json").touch()
    assert report.newest(tmp_path).name == "bench-20260110T000000Z.json"
