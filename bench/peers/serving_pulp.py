#!/usr/bin/env python3
"""The slice model of a peer beside ours, on the same cases, with PuLP and CBC.

    python3 -m venv peers && peers/bin/pip install pulp
    mkdir cases && cargo run --release -p farthing-planner --example serving_scale 1 cases
    peers/bin/python bench/peers/serving_pulp.py cases [SECONDS] [CASES]

The model is that of Melange (arXiv 2404.14527): every bucket in the slices of the case, a binary variable for
each slice and accelerator, a whole number of each accelerator that is at least the load of its
slices, the least cost. The solver gets so many seconds for each case (120 unless said otherwise).
Prints one JSON line for each figure, ratios of ours to theirs below one being ours to win.
"""

import json
import pathlib
import statistics
import sys
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


def main():
    folder = pathlib.Path(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 120
    paths = sorted(folder.glob("case-*.json"))
    paths = paths[: int(sys.argv[3])] if len(sys.argv) > 3 else paths
    times, divided, sliced, dearer, cheaper, out = [], [], [], 0, 0, 0
    for path in paths:
        case = json.loads(path.read_text())
        start = time.monotonic()
        cost, _ = solve(case, seconds)
        took = time.monotonic() - start
        times.append(took * 1000)
        out += took > seconds
        if cost is None:
            continue
        divided.append(case["continuous_cost"] / cost)
        sliced.append(case["slices_cost"] / cost)
        dearer += case["slices_cost"] > cost * (1 + 1e-6)
        cheaper += case["slices_cost"] < cost * (1 - 1e-6)
        if case["slices_cost"] > cost * (1 + 1e-6):
            print(f"{path.name}: ours {case['slices_cost']}, theirs {cost}, bound {case['slices_bound']}")
    rows = {
        "serving-peer-median": (statistics.median(times), "ms"),
        "serving-peer-worst": (max(times), "ms"),
        "serving-peer-out-of-time": (out, "cases"),
        "serving-ours-continuous/peer-cost": (statistics.mean(divided), "ratio"),
        "serving-ours-slices/peer-cost": (statistics.mean(sliced), "ratio"),
        "serving-ours-slices-dearer": (dearer, "cases"),
        "serving-ours-slices-cheaper": (cheaper, "cases"),
    }
    for bench, (value, unit) in rows.items():
        print(json.dumps({"bench": bench, "value": value, "unit": unit, "cases": len(paths)}))


if __name__ == "__main__":
    main()
