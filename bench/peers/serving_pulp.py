#!/usr/bin/env python3
"""The slice model of a peer beside ours, on the same cases, with PuLP and CBC.

    python3 -m venv peers && peers/bin/pip install pulp
    cargo build --release -p farthing-planner --example serving_scale
    peers/bin/python bench/peers/serving_pulp.py PROGRAM [SECONDS] [CASES] [SEED]

PROGRAM is that example: it generates 150 cases, solves them and writes them with what it found.
The model is that of Melange (arXiv 2404.14527): every bucket in the slices of the case, a binary
variable for each slice and accelerator, a whole number of each accelerator that is at least the
load of its slices, the least cost. The solver gets so many seconds for each case (120 unless said
otherwise); a case that it does not answer counts as out of time and not as ours to win.

Prints a line for each case in which ours is dearer or not answered, and one JSON line for each
figure, as bench/README.md says. Ratios are ours to theirs.
"""

import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import pulp
except ImportError:
    sys.exit("serving-peers: left out, PuLP is not here (pip install pulp)")


def solve(case, seconds):
    """Cost by the slice model in currency units, and whether the solver says it is optimal."""
    prices, most = case["prices_cents"], case["most_nano"]
    kinds, buckets = range(len(prices)), range(len(case["shares_nano"]))
    problem = pulp.LpProblem("mix", pulp.LpMinimize)
    counts = [pulp.LpVariable(f"n{g}", lowBound=0, cat="Integer") for g in kinds]
    problem += pulp.lpSum(counts[g] * prices[g] / 100 for g in kinds)
    filled = [[] for _ in kinds]
    for b in buckets:
        rate = case["rate"] * case["shares_nano"][b] / 1e9 / case["slices"]
        for s in range(case["slices"]):
            able = [g for g in kinds if most[g][b] > 0]
            taken = {g: pulp.LpVariable(f"x{b}_{s}_{g}", cat="Binary") for g in able}
            problem += pulp.lpSum(taken.values()) == 1
            for g in able:
                filled[g].append(taken[g] * (rate / (most[g][b] / 1e9)))
    for g in kinds:
        problem += pulp.lpSum(filled[g]) <= counts[g]
        if case["available"][g] >= 0:
            problem += counts[g] <= case["available"][g]
    problem.solve(pulp.PULP_CBC_CMD(msg=0, timeLimit=seconds))
    if problem.sol_status not in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible):
        return None, False
    cost = sum(round(counts[g].value()) * prices[g] for g in kinds) / 100
    return cost, problem.sol_status == pulp.LpSolutionOptimal


def generated(program, seed):
    """The cases, written by our program."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="farthing-serving-"))
    try:
        subprocess.run([program, seed, folder], check=True, stdout=subprocess.DEVNULL)
        paths = sorted(folder.glob("case-[0-9]*.json"))
        return [(path.stem, json.loads(path.read_text())) for path in paths]
    finally:
        shutil.rmtree(folder)


def main():
    program, *more = sys.argv[1:]
    seconds, count, seed = [*more, *["120", "150", "1"][len(more):]]
    seconds, cases = float(seconds), generated(program, seed)[: int(count)]
    times, divided, sliced, dearer, cheaper, out = [], [], [], 0, 0, 0
    for name, case in cases:
        start = time.monotonic()
        cost, optimal = solve(case, seconds)
        times.append((time.monotonic() - start) * 1000)
        out += not optimal
        if cost is None:
            continue
        divided.append(case["continuous_cost"] / cost)
        sliced.append(case["slices_cost"] / cost)
        cheaper += case["slices_cost"] < cost * (1 - 1e-6)
        if case["slices_cost"] > cost * (1 + 1e-6):
            dearer += 1
            bound = case["slices_bound"]
            print(f"{name}: ours {case['slices_cost']}, theirs {cost}, bound {bound}")
    ours = statistics.median(case["slices_ms"] for _, case in cases)
    figures = [
        ("serving-dearer-than-pulp", dearer, 0, "cases"),
        ("serving-slices-cost-against-pulp", statistics.mean(sliced), 1, "x"),
        ("serving-at-will-cost-against-pulp", statistics.mean(divided), 1, "x"),
        ("serving-time-against-pulp", ours / statistics.median(times), 0.1, "x"),
    ]
    for bench, value, limit, unit in figures:
        print(json.dumps({
            "bench": bench, "value": round(value, 6), "limit": limit, "unit": unit,
            "cases": len(cases), "seconds_each": seconds, "ours_cheaper": cheaper,
            "pulp": pulp.__version__, "pulp_not_proven": out,
            "pulp_median_ms": round(statistics.median(times), 2),
            "pulp_worst_ms": round(max(times), 2), "farthing_median_ms": round(ours, 3),
        }))


if __name__ == "__main__":
    main()
