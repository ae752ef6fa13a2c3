#!/usr/bin/env python3
"""Metering of a Parquet file of samples beside DuckDB, which makes the same sums of the same file.

    python3 -m venv peers && peers/bin/pip install duckdb
    cargo build --release -p farthing-ledger --example telemetry_speed
    peers/bin/python bench/peers/meter_duckdb.py PROGRAM [GPUS] [HOURS] [STEP_S]

PROGRAM is that example: it writes ten series for each GPU, one sample of each for every step, and
meters and allocates them. DuckDB sums what it sums, by hour and series: what was used, what was set
aside and not used, what of that was held. It does not split a price over them. Both have one thread
and read the file once before, so that it is in memory.

Ends with an error where the sums differ. Prints one JSON line for each figure, as bench/README.md
says: the ratio is processor time of ours to theirs.
"""

import json
import pathlib
import resource
import subprocess
import sys
import tempfile

try:
    import duckdb
except ImportError:
    sys.exit("meter-peers: left out, DuckDB is not here (pip install duckdb)")

SUMS = """
SELECT time_bucket(INTERVAL 1 HOUR, "from") AS hour, node, resource, device, slice, workload, team,
       "user", container, process, namespace, pod,
       sum(used_nano) AS used,
       sum(greatest(requested_nano - used_nano, 0)) AS idle,
       sum(least(greatest(held_nano - used_nano, 0), greatest(requested_nano - used_nano, 0))) AS held,
       count(*) AS samples
FROM read_parquet('{file}') WHERE record = 'sample'
GROUP BY ALL
"""


def theirs(file):
    """Sums of DuckDB: used and idle of workloads, what the system had, samples; processor time."""
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute("SET TimeZone = 'UTC'")
    before = resource.getrusage(resource.RUSAGE_SELF)
    connection.execute(f"CREATE TABLE sums AS {SUMS.format(file=file)}")
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    query = """SELECT coalesce(sum(used) FILTER (workload IS NOT NULL), 0)::VARCHAR,
                      coalesce(sum(idle) FILTER (workload IS NOT NULL), 0)::VARCHAR,
                      coalesce(sum(used + idle) FILTER (workload IS NULL), 0)::VARCHAR,
                      sum(samples)::BIGINT, count(*) FROM sums"""
    return connection.execute(query).fetchone(), cpu


def ours(program, file, gpus, hours):
    """The JSON lines of the example."""
    command = [program, "meter", file, str(gpus), str(hours)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in printed.splitlines()]


def main():
    program = sys.argv[1]
    gpus, hours, step = (int(text) for text in (sys.argv[2:] + ["1000", "4", "10"])[:3])
    with tempfile.TemporaryDirectory() as folder:
        file = str(pathlib.Path(folder) / "samples.parquet")
        write = [program, "write", file, str(gpus), str(hours), str(step)]
        subprocess.run(write, check=True)
        pathlib.Path(file).read_bytes()
        figures = ours(program, file, gpus, hours)
        (used, idle, overhead, samples, series), cpu = theirs(file)
    sums = figures[-1]
    mine = (sums["used_nano"], sums["idle_nano"], sums["overhead_nano"])
    if mine != (used, idle, overhead) or samples != figures[0]["samples"]:
        sys.exit(f"meter-peers: ours {mine}, theirs {(used, idle, overhead)} of {samples} samples")
    more = {"samples": samples, "series_hours": series, "ours_cpu_s": figures[0]["cpu_s"],
            "theirs_cpu_s": round(cpu, 2), "ours_memory_mib": figures[1]["value"],
            "duckdb": duckdb.__version__, "threads": 1,
            "sums": "equal"}
    ratio = figures[0]["cpu_s"] / cpu
    print(json.dumps({"bench": "meter-parquet-to-duckdb", "value": round(ratio, 3), "limit": 1,
                      "unit": "ratio", **more}))


main()
