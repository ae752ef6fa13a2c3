"""Compares `farthing offers` with SkyPilot on one catalogue: price, cap, time.

Needs `pip install skypilot` in a virtual environment of its own and no network: the catalogue is
copied into the folder that SkyPilot reads, under a home of its own, and no cloud is asked.

    python bench/peers/skypilot_offers.py FARTHING CATALOGUE [QUERIES]

Prints a table of differences and one JSON line for each figure, as bench/README.md says. A row in
which SkyPilot is cheaper is an error; so is one over its cap.
"""

import gzip
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

CLOUDS = ["aws", "azure", "gcp", "lambda", "vast"]
# What the catalogue means by a name, in our words.
NAMES = {
    "H100": "H100-80GB", "A100": "A100-40GB", "A100-80GB": "A100-80GB", "L4": "L4", "T4": "T4",
    "V100": "V100-16GB", "A10G": "A10G", "L40S": "L40S", "H200": "H200", "B200": "B200",
    "RTX4090": "RTX4090", "P100": "P100", "MI300X": "MI300X",
}


def prepare(catalogue):
    """A home with the catalogue where SkyPilot looks for it."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="farthing-peer-"))
    os.environ["HOME"] = str(home)
    from sky.skylet import constants

    for cloud in CLOUDS:
        folder = home / ".sky" / "catalogs" / constants.CATALOG_SCHEMA_VERSION / cloud
        folder.mkdir(parents=True)
        with gzip.open(catalogue / cloud / "vms.csv.gz", "rb") as packed:
            (folder / "vms.csv").write_bytes(packed.read())
    return home


def peer(query):
    """SkyPilot's cheapest price of one node, over the clouds that are asked about."""
    from sky import catalog

    best = None
    for cloud in CLOUDS:
        try:
            if query["accelerator"]:
                types, _ = catalog.get_instance_type_for_accelerator(
                    query["accelerator"], query["count"], cpus=query["cpus"],
                    memory=query["memory"], use_spot=query["spot"], clouds=cloud)
                # On GCP SkyPilot plans with the first host only.
                types = (types or [])[:1 if cloud == "gcp" else None]
            else:
                one = catalog.get_default_instance_type(
                    cpus=query["cpus"], memory=query["memory"], clouds=cloud)
                types = [one] if one else []
            for name in types:
                for price in prices(cloud, name, query):
                    # A price of 0 or none is no offer.
                    if price == price and price > 0 and (best is None or price < best[0]):
                        best = (price, cloud, name)
        except Exception:  # SkyPilot raises for what a cloud does not have.
            continue
    return best


def prices(cloud, name, query):
    """What SkyPilot says a machine costs; on GCP host and accelerators of one zone, as it plans."""
    from sky import catalog

    spot = query["spot"]
    if cloud != "gcp" or not query["accelerator"]:
        yield catalog.get_hourly_cost(name, use_spot=spot, region=None, zone=None, clouds=cloud)
        return
    accelerators = {query["accelerator"]: query["count"]}
    regions = catalog.get_region_zones_for_accelerators(
        query["accelerator"], query["count"], use_spot=spot, clouds=cloud)
    for region in regions:
        # Prices of a region's zones are alike, and each look-up scans the whole catalogue.
        for zone in region.zones[:1]:
            try:
                catalog.check_accelerator_attachable_to_host(
                    name, accelerators, zone.name, clouds=cloud)
                yield catalog.get_hourly_cost(
                    name, use_spot=spot, region=region.name, zone=zone.name, clouds=cloud
                ) + catalog.get_accelerator_hourly_cost(
                    query["accelerator"], query["count"], use_spot=spot,
                    region=region.name, zone=zone.name, clouds=cloud)
            except Exception:  # The host is not sold there, or does not take them.
                continue


def ours(farthing, catalogue, query):
    command = [farthing, "offers", "--prices", str(catalogue), "--output", "json", "--limit", "1"]
    if query["accelerator"]:
        command += ["--accelerator", NAMES[query["accelerator"]], "--count", str(query["count"])]
    if query["cpus"]:
        command += ["--cpus", query["cpus"]]
    if query["memory"]:
        command += ["--memory", query["memory"].replace("+", "GiB+")]
    if query["spot"]:
        command += ["--spot"]
    if query["cap"]:
        command += ["--max-price", f"{query['cap']} USD/h"]
    started = time.perf_counter()
    output = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - started
    if not output.stdout.startswith("{"):
        return None, took, None
    answer = json.loads(output.stdout)
    best = answer["offers"][0] if answer["offers"] else None
    return (float(best["total"]), best["provider"], best["instance_type"]) if best else None, took, answer["query_ms"]


def queries(count):
    dice = random.Random(4)
    for _ in range(count):
        accelerator = dice.choice(list(NAMES) + [None] * 4)
        yield {
            "accelerator": accelerator,
            "count": dice.choice([1, 2, 4, 8]),
            "cpus": dice.choice([None, None, "4+", "32+"]) if accelerator else dice.choice(["2+", "8+", "32+", "64+"]),
            "memory": dice.choice([None, None, "64+"]) if accelerator else dice.choice(["8+", "32+", "128+", "256+"]),
            "spot": bool(accelerator) and dice.random() < 0.3,
            "cap": dice.choice([None, None, None, 5, 20, 60]),
        }


def main():
    farthing, catalogue = sys.argv[1], pathlib.Path(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    our_home = os.environ.get("HOME", "")
    prepare(catalogue)
    os.environ["XDG_CACHE_HOME"] = str(pathlib.Path(os.environ["HOME"]) / "cache")
    peer(next(queries(1)))  # reads the catalogue once
    del our_home
    cheaper = dearer = equal = alone = over = 0
    times, peer_times, query_ms = [], [], []
    for query in queries(count):
        started = time.perf_counter()
        theirs = peer(query)
        peer_times.append(time.perf_counter() - started)
        if theirs and query["cap"] and theirs[0] > query["cap"]:
            theirs = None
        mine, took, ms = ours(farthing, catalogue, query)
        times.append(took)
        query_ms += [ms] if ms is not None else []
        over += bool(mine and query["cap"] and mine[0] > query["cap"])
        if mine and not theirs:
            alone += 1
        elif theirs and (not mine or mine[0] > theirs[0] + 1e-9):
            dearer += 1
            print("DEARER", query, "ours", mine, "theirs", theirs)
        elif theirs and mine[0] < theirs[0] - 1e-9:
            cheaper += 1
        elif theirs:
            equal += 1
    print(f"{count} queries: cheaper {cheaper}, equal {equal}, only ours answers {alone}, dearer {dearer}, over the cap {over}")
    median = lambda values: statistics.median(values) * 1e3
    figures = [
        ("offers-dearer-than-skypilot", dearer + over, 0.5, "queries"),
        ("offers-process-against-skypilot-query", median(times) / median(peer_times), 10, "x"),
    ]
    for bench, value, limit, unit in figures:
        print(json.dumps({
            "bench": bench, "value": round(value, 3), "limit": limit, "unit": unit, "queries": count,
            "farthing_process_ms": round(median(times), 2), "skypilot_query_ms": round(median(peer_times), 2),
            "farthing_query_ms": round(statistics.median(query_ms), 3),
        }))
    sys.exit(1 if dearer or over else 0)


if __name__ == "__main__":
    main()
