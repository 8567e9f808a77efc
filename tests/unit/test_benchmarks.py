"""The runner of the benchmarks: ratios, rows on disk, tables, remote peers."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    """The suite is no package that is installed; its peers are looked up beside it."""
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def entries(monkeypatch):
    """An empty registry."""
    from suite import registry

    found = {}
    monkeypatch.setattr(registry, "_ENTRIES", found)
    return found


class Fixed:
    """A contender that says what it took, and when it was asked."""

    def __init__(self, seconds, log=None, name=""):
        self.seconds = iter(seconds)
        self.log, self.name = [] if log is None else log, name

    def spent(self):
        self.log.append(self.name)
        value = next(self.seconds)
        return value, 10 * value

    def __call__(self):
        return None


def stub(**changes):
    from suite import Case

    contenders = {
        "ours": Fixed([9, 1, 2, 4]),
        "limit": Fixed([9, 2, 2, 2]),
        "peer": Fixed([9, 3, 8, 20]),
    }
    options = {"contenders": contenders, "agree": lambda: "alike", "units": 4}
    return Case(**options | changes)


def test_ratios_are_taken_round_by_round_without_the_first():
    row = stub().measure(1, 3)
    assert row["clock"] == "cpu"
    assert row["ours_ms"] == pytest.approx(500)
    expected = {"ratio": 1.0, "low": 0.5, "q1": 0.75, "q3": 1.5, "high": 2.0}
    found = row["against"]["limit"]
    assert {name: found[name] for name in expected} == expected
    assert row["against"]["peer"]["ratio"] == 4.0


def test_wall_time_counts_with_more_threads():
    row = stub().measure(2, 3)
    assert row["clock"] == "wall"
    assert row["ours_ms"] == pytest.approx(5000)


def test_every_contender_is_first_in_turn():
    from suite.timing import in_turns

    log = []
    contenders = {name: Fixed([1] * 4, log, name) for name in "abc"}
    in_turns(contenders, 3)
    assert "".join(log) == "abcbcacababc"


def test_a_case_whose_results_differ_is_not_timed(entries):
    from suite import case, registered
    from suite.worker import run_here

    log = []

    def differ():
        raise AssertionError("weights differ by 1")

    @case("engine", "bad")
    def bad():
        run = Fixed([1] * 9, log)
        return stub(contenders={"ours": run, "limit": run}, agree=differ)

    with pytest.raises(AssertionError, match="differ by 1"):
        run_here(registered()[0], 1, 1)
    assert not log
    with pytest.raises(AssertionError, match="what was compared"):
        stub(agree=lambda: None).measure(1, 1)


def test_names_of_cases_are_unique(entries):
    from suite import case, registered

    case("mil", "one")(stub)
    with pytest.raises(ValueError, match="two cases 'one' in 'mil'"):
        case("mil", "one")(stub)
    case("engine", "one", threads=(1,))(stub)
    assert [e.threads for e in registered(("engine",))] == [(1,)]
    assert len(registered()) == 2


# -- a peer in another Python ----------------------------------------------------------


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """A maker of remote contenders whose module is a file of the test."""
    from suite import Remote

    code = """
        import os
        def make(n):
            print("a line that is no answer")
            calls = []
            def run():
                calls.append(os.getpid())
                return {"n": n, "calls": len(calls), "pid": calls[0]}
            return run
        def broken():
            raise OSError("no such data")
    """
    lines = [line[8:] for line in code.splitlines()]
    (tmp_path / "far.py").write_text("\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = []

    def build(function="make", **arguments):
        made.append(Remote(sys.executable, "far", function, **arguments))
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_a_remote_peer_runs_in_one_other_process(remote):
    far = remote(n=3)
    assert far.missing() is None
    first = far()
    cpu, wall = far.spent()
    assert 0 <= cpu < 60
    assert 0 < wall < 60
    assert far() == {"n": 3, "calls": 3, "pid": first["pid"]}
    assert first["pid"] != os.getpid()


def test_a_peer_that_is_not_there_is_named_with_its_reason(remote):
    from suite import Remote, remote_python

    peers = {
        "absent": Remote(remote_python("no-such-peer"), "far", "make"),
        "broken": remote("broken"),
    }
    ours = {"ours": Fixed([1, 1])}
    row = stub(contenders=ours | peers, absent={"other": "needs CUDA"}).measure(1, 1)
    assert row["against"] == {}
    assert row["absent"] == {
        "other": "needs CUDA",
        "absent": "not installed (.venv-bench-no-such-peer/bin/python)",
        "broken": "far: OSError: no such data",
    }


# -- how cost grows, memory ------------------------------------------------------------


def test_the_exponent_is_that_of_a_power():
    from suite.measures import exponent

    sizes = [10, 20, 40, 80]
    slope, error = exponent(sizes, [3 * n**1.5 for n in sizes])
    assert slope == pytest.approx(1.5)
    assert error == pytest.approx(0, abs=1e-7)
    assert exponent(sizes, [1, 2, 3, 8])[1] > 0.05


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_counts_the_peak_and_not_what_was_there():
    code = """
        from suite import Memory

        def run():
            for _ in range(2):  # one after the other: the peak is that of one
                bytearray(b"x" * 50_000_000)
            return 100_000_000

        row = Memory(lambda: bytearray(b"x" * 80_000_000), run).measure(1, 1)
        print(row["needed_mb"], row["ratio"])
    """
    # A process of its own, where nothing else is freed or reclaimed meanwhile.
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(BENCHMARKS)},
        capture_output=True,
        text=True,
        check=True,
    )
    needed, ratio = map(float, done.stdout.split())
    # The bytes and their copy are there at once.
    assert needed == 100
    assert 0.9 < ratio < 1.2


# -- rows on disk, tables --------------------------------------------------------------


def measured(name, threads=1, **changes):
    row = stub(**changes).measure(threads, 3)
    return {"name": name, "family": "mil", "threads": threads, **row}


def where(date):
    place = {"date": date, "cores": 2, "processor": "P", "python": "3.11"}
    return {**place, "versions": {"torch": "2"}, "command": f"at {date}"}


def test_rows_of_the_same_name_and_threads_are_replaced():
    from suite.results import merged

    first = merged({}, [measured("a"), measured("b"), measured("a", 2)], where("1"))
    second = merged(first, [{**measured("b"), "unit": "new"}], where("2"))
    assert [(r["name"], r["threads"]) for r in second["rows"]] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
    ]
    assert [r["measured"] for r in second["rows"]] == ["1", "2", "1"]
    assert second["rows"][1]["unit"] == "new"
    assert list(second["environments"]) == ["1", "2"]
    last = merged(second, first["rows"], where("3"))
    assert list(last["environments"]) == ["3"]


def test_rows_of_cases_that_are_gone_are_dropped():
    from suite.results import merged

    first = merged({}, [measured("a"), measured("old")], where("1"))
    second = merged(first, [measured("b")], where("2"), known={"a", "b"})
    assert [row["name"] for row in second["rows"]] == ["a", "b"]


def test_tables_turn_the_ratio_to_the_limit_round():
    from suite.markdown import family_page
    from suite.results import merged

    slow = {"ours": Fixed([4] * 4), "limit": Fixed([9, 2, 2, 1])}
    rows = [measured("a", absent={"other": "not installed"})]
    rows.append(measured("b", contenders=slow))
    page = family_page(merged({}, rows, where("2026-01-02")))
    assert "| a | 500 ms / fit | **1.00** (0.67-1.33; 0.50-2.00) |" in page
    assert "other: not installed | 4.00x |" in page
    assert "| b | 1,000 ms / fit | **2.00** (2.00-2.67; 2.00-4.00) |  |  |" in page
    assert "- a: alike" in page
    assert "`at 2026-01-02`" in page


def test_the_summary_counts_and_says_what_is_missed():
    from suite.markdown import summary_page
    from suite.results import merged

    slow = {"ours": Fixed([4] * 4), "limit": Fixed([2] * 4), "peer": Fixed([2] * 4)}
    rows = [measured("a"), measured("b", contenders=slow)]
    memory = {"kind": "memory", "ratio": 1.5, "needed_mb": 1, "peak_mb": 2}
    rows.append({"name": "m", "threads": 1, **memory})
    growth = {"kind": "scaling", "exponent": 1.5, "error": 0.3}
    rows.append({"name": "s", "threads": 1, **growth})
    page = summary_page({"mil": merged({}, rows, where("1"))})
    assert "| mil | 1 | 2 | 1.50 | 2.00 | 1 of 2 | 1 of 2 | 1 of 2 |" in page
    assert "- mil: b, one thread: 2.00 times the limit, aim 1.25" in page
    assert "- mil: b, one thread: peer takes 0.50 times ours, aim 1.00" in page
    assert "- mil: m, one thread: 1.50 times what is needed, aim 1.3" in page
    assert "mil: s" not in page
    assert page.count("\n- ") == 3


def test_the_tables_in_the_repository_are_those_of_the_rows():
    from suite.markdown import family_page, summary_page
    from suite.registry import FAMILIES
    from suite.results import RESULTS, read

    found = {family: read(family) for family in FAMILIES}
    for family, content in found.items():
        assert (RESULTS / f"speed_{family}.md").read_text() == family_page(content)
    assert (RESULTS / "speed.md").read_text() == summary_page(found)


def test_a_family_without_rows_says_how_to_get_them(tmp_path):
    from suite.markdown import write_pages

    write_pages(tmp_path)
    texts = {path.read_text() for path in tmp_path.glob("*.md")}
    assert texts == {"Not measured yet: run `make bench`.\n"}


def test_the_guide_includes_the_tables_of_every_family():
    from suite.registry import FAMILIES

    text = (ROOT / "docs/guides/benchmarks.md").read_text()
    for name in ("speed", *(f"speed_{family}" for family in FAMILIES)):
        assert f"```{{include}} ../../benchmarks/results/{name}.md\n```" in text
