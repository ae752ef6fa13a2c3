"""Compares `farthing plan` with SkyPilot's optimizer on the same DAGs: cost, time.

Needs `pip install skypilot pulp` in a virtual environment of its own and no network: the catalogue
is copied into the folder that SkyPilot reads, under a home of its own, and no cloud is asked.

    python bench/peers/skypilot_dag.py FARTHING CATALOGUE [DAGS]

DAGs of 3 to 6 tasks, on AWS, GCP and Lambda, with hours, one accelerator each, and what a task hands
over to all after it; the data of the first lies at AWS. Both pay for moving data what SkyPilot
takes: flat by cloud, free inside of one. Prints one JSON line for each figure, as bench/README.md
says. A DAG that SkyPilot plans cheaper, by its own prices, is an error.
"""

import contextlib
import io
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import skypilot_offers

CLOUDS = ["aws", "gcp", "lambda"]
ACCELERATORS = [("A100", 1), ("A100", 8), ("H100", 1), ("H100", 8), ("L4", 1), ("T4", 1), ("V100", 4)]
# What SkyPilot 0.14 takes for at most 1,024 GB out of a cloud.
EGRESS = """from_provider,from_region,to_provider,to_region,up_to_gb,price_per_gb,source,as_of
aws,,aws,,,0,skypilot,2026-11-26
gcp,,gcp,,,0,skypilot,2026-11-26
lambda,,lambda,,,0,skypilot,2026-11-26
aws,,,,1,0,skypilot,2026-11-26
aws,,,,,0.09,skypilot,2026-11-26
gcp,,,,,0.12,skypilot,2026-11-26
lambda,,,,,0,skypilot,2026-11-26
"""


def egress(cloud, to, size):
    """The same as a sum, in dollars."""
    if cloud == to or cloud == "lambda":
        return 0.0
    return 0.12 * size if cloud == "gcp" else 0.09 * max(size - 1, 0)


def draw(dice):
    """Tasks with hours, accelerator and GB of output; edges; GB that the first reads."""
    count = dice.randint(3, 6)
    tasks = [
        {"hours": dice.randint(1, 20), "accelerator": dice.choice(ACCELERATORS), "size": dice.randint(2, 1000)}
        for _ in range(count)
    ]
    edges = [(dice.randrange(to), to) for to in range(1, count)]
    edges += [(at, to) for to in range(2, count) for at in range(to) if (at, to) not in edges and dice.random() < 0.2]
    return tasks, edges, dice.randint(2, 1000)


def names(home):
    """The names of accelerators, which SkyPilot would fetch."""
    from sky.skylet import constants

    folder = home / ".sky" / "catalogs" / constants.CATALOG_SCHEMA_VERSION / "common"
    folder.mkdir()
    rows = sorted({name for name, _ in ACCELERATORS})
    clouds = "['AWS', 'GCP', 'Lambda']"
    (folder / "accelerators.csv").write_text(
        "AcceleratorName,Clouds\n" + "".join(f'{name},"{clouds}"\n' for name in rows))
    (folder / "metadata.csv").write_text("GPU,MemoryGB,Manufacturer\n")


def peer(tasks, edges, reads):
    """What SkyPilot's plan costs, and how long it took."""
    import sky
    from sky import optimizer

    nodes = []
    with sky.Dag() as dag:
        for at, task in enumerate(tasks):
            node = sky.Task(f"t{at}", run="true")
            name, number = task["accelerator"]
            node.set_resources(sky.Resources(accelerators={name: number}))
            node.set_time_estimator(lambda _, hours=task["hours"]: hours * 3600)
            node.set_outputs("out", estimated_size_gigabytes=task["size"])
            if at == 0:
                node.set_inputs("s3://in", estimated_size_gigabytes=reads)
            nodes.append(node)
        for start, end in edges:
            nodes[start] >> nodes[end]
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        optimizer.Optimizer.optimize(dag, quiet=True)
    took = time.perf_counter() - started
    chosen = [node.best_resources for node in nodes]
    clouds = [str(it.cloud).lower() for it in chosen]
    cost = sum(it.get_cost(task["hours"] * 3600) for it, task in zip(chosen, tasks))
    cost += egress("aws", clouds[0], reads)
    cost += sum(egress(clouds[start], clouds[end], tasks[start]["size"]) for start, end in edges)
    return cost, took


def ours(farthing, catalogue, folder, dag):
    """What our plan costs, and how long the whole process took."""
    tasks, edges, reads = dag

    def asked(at, task):
        name, number = task["accelerator"]
        return {
            "name": f"t{at}", "hours": task["hours"], "providers": CLOUDS, "purchase": ["on-demand"],
            "accelerators": [{"accelerator": skypilot_offers.NAMES[name], "count": number}],
        }

    manifest = {
        "apiVersion": "farthing.dev/v1alpha1", "kind": "Dag", "metadata": {"name": "peer"},
        "spec": {
            "objective": "cost",
            "tasks": [asked(at, task) for at, task in enumerate(tasks)],
            "edges": [
                {"from": f"t{start}", "to": f"t{end}", "size": f"{tasks[start]['size']}GB"} for start, end in edges
            ],
            "inputs": [{"task": "t0", "location": "aws/us-east-1", "size": f"{reads}GB"}],
        },
    }
    (folder / "dag.yaml").write_text(json.dumps(manifest))
    (folder / "egress.csv").write_text(EGRESS)
    command = [
        farthing, "plan", "-f", str(folder / "dag.yaml"), "--egress", str(folder / "egress.csv"),
        "--prices", str(catalogue), "--output", "json",
    ]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - started
    if not done.stdout.startswith("{"):
        sys.exit(f"farthing plan: {done.stderr.strip()}")
    answer = json.loads(done.stdout)
    return amount(answer["cost"]), took


def amount(text):
    return float(str(text).split()[0])


def main():
    farthing, catalogue = sys.argv[1], pathlib.Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    home = skypilot_offers.prepare(catalogue)
    names(home)
    os.environ["XDG_CACHE_HOME"] = str(home / "cache")
    from sky import check, clouds

    enabled = [clouds.AWS(), clouds.GCP(), clouds.Lambda()]
    check.get_cached_enabled_clouds_or_refresh = lambda *_, **__: enabled
    dice = random.Random(4)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="farthing-peer-"))
    dags = [draw(dice) for _ in range(count)]
    peer(*dags[0])  # reads the catalogue once
    ours(farthing, catalogue, folder, dags[0])
    dearer = cheaper = 0
    costs, peer_costs, times, peer_times = [], [], [], []
    for dag in dags:
        theirs, peer_took = peer(*dag)
        mine, took = ours(farthing, catalogue, folder, dag)
        costs, peer_costs = costs + [mine], peer_costs + [theirs]
        times, peer_times = times + [took], peer_times + [peer_took]
        cheaper += mine < theirs - 0.005
        if mine > theirs + 0.005:
            dearer += 1
            print("DEARER", dag, "ours", mine, "theirs", theirs)
    print(f"{count} DAGs: cheaper {cheaper}, dearer {dearer}")
    ratio = statistics.median(times) / statistics.median(peer_times)
    more = {
        "dags": count, "cheaper": cheaper, "cost_to_theirs": round(sum(costs) / sum(peer_costs), 4),
        "farthing_process_ms": round(statistics.median(times) * 1e3, 2),
        "skypilot_optimize_ms": round(statistics.median(peer_times) * 1e3, 2),
    }
    for bench, value, limit, unit in [
        ("dag-dearer-than-skypilot", dearer, 0.5, "DAGs"), ("dag-process-against-skypilot", ratio, 1, "x"),
    ]:
        print(json.dumps({"bench": bench, "value": round(value, 3), "limit": limit, "unit": unit, **more}))
    sys.exit(1 if dearer else 0)


if __name__ == "__main__":
    main()
