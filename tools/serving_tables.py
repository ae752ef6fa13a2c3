#!/usr/bin/env python3
"""Turns public traces and measurements into the tables of a service: buckets.csv, throughput.csv.

    serving_tables.py sizes  azure|vidur|servegen PATH --out FOLDER   # who asks for how much
    serving_tables.py speeds splitwise|mlenergy|mlperf PATH --out FOLDER   # what a replica can do

`speeds` reads the buckets.csv of its folder, so run `sizes` first; `mlenergy` and `mlperf` can do
without (`--input-tokens`), for they measured one size. What is left out is counted on standard
error. How each source is read, and what it cannot say, stands at its function below and in
docs/guides/serving.md. Parquet needs pyarrow (pip install pyarrow); CSV, packed or not, nothing.

The tables of examples/serving are made by

    tools/serving_tables.py sizes azure data/traces/azure-llm-conv.csv --out examples/serving
    tools/serving_tables.py speeds splitwise SHARED/splitwise-perf/perf_model.csv.gz \
        --out examples/serving
"""

import argparse
import csv
import gzip
import math
import pathlib
import re
import statistics
import sys
from collections import Counter, defaultdict

ACCELERATORS = pathlib.Path(__file__).parent.parent / "data" / "accelerators.csv"


class Wrong(Exception):
    """What is wrong with an input, and where."""


class Row(dict):
    """A row of a table that knows where it stands."""

    def __init__(self, cells, place):
        super().__init__(cells)
        self.place = place

    def number(self, column, least=0.0):
        """A finite number of at least so much."""
        text = self[column]
        try:
            value = float(text)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value) or value < least:
            raise Wrong(f"{self.place}: {column} is {text!r}, not a number of {least:g} or more")
        return value

    def whole(self, column, least=0):
        """A whole number of at least so much."""
        value = self.number(column, least)
        if value != int(value):
            raise Wrong(f"{self.place}: {column} is {self[column]!r}, not a whole number")
        return int(value)


def table(path, columns):
    """The rows of a CSV (.gz or not) or Parquet file that must have these columns."""
    path = pathlib.Path(path)
    try:
        if path.suffix == ".parquet":
            names, rows = parquet(path)
        else:
            names, rows = separated(path)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise Wrong(f"{path}: {error}") from error
    missing = [name for name in columns if name not in names]
    if missing:
        raise Wrong(f"{path}: has no column {', '.join(missing)}; it has {', '.join(names)}")
    return rows


def separated(path):
    opened = gzip.open(path, "rt", encoding="utf-8-sig", newline="") if path.suffix == ".gz" \
        else open(path, encoding="utf-8-sig", newline="")
    with opened as file:
        reader = csv.DictReader(file)
        names = list(reader.fieldnames or [])
        rows = []
        for cells in reader:
            place = f"{path}:{reader.line_num}"
            if None in cells or None in cells.values():
                raise Wrong(f"{place}: has not the {len(names)} cells of the header")
            rows.append(Row(cells, place))
    return names, rows


def parquet(path):
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise Wrong(f"{path}: Parquet needs pyarrow: pip install pyarrow") from error
    try:
        read = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise Wrong(f"{path}: {error}") from error
    rows = [Row(cells, f"{path}: row {at}") for at, cells in enumerate(read.to_pylist(), 1)]
    return read.column_names, rows


def left_out(why):
    """Says what was left out, by reason."""
    for reason, count in sorted(why.items()):
        print(f"left out: {count:g} {reason}", file=sys.stderr)


# Sizes of requests. Each gives (input tokens, output tokens, requests).


def azure(options):
    """Azure LLM inference traces: a request a row. One hour of one day; no session, no model."""
    for row in table(options.path, ["context_tokens", "generated_tokens"]):
        yield row.whole("context_tokens"), row.whole("generated_tokens"), 1.0


def vidur(options):
    """Vidur's lengths of arXiv summaries: a request a row, clipped at 4,096 tokens, no times."""
    for row in table(options.path, ["num_prefill_tokens", "num_decode_tokens"]):
        yield row.whole("num_prefill_tokens"), row.whole("num_decode_tokens"), 1.0


# Windows of ServeGen in seconds: of rates, and of sizes.
RATES_S, SIZES_S, DAY_S = 600, 21_600, 86_400
# What stands before an answer, by modality.
PROMPTS = ["input_tokens", "text_tokens", "image_tokens", "audio_tokens", "video_tokens"]


def servegen(options):
    """ServeGen: rates by client and ten minutes, mean sizes by client and six hours.

    A client's requests of six hours count as if all had the mean size, so that tokens are kept and
    the spread inside is not. Sizes of some clients are missing: their requests are left out, and
    said. With --curve also the rate by hour of the day: the quantile of its windows over all days
    of all clients, those without sizes too; windows without a request were dropped and count as 0.
    """
    folder = pathlib.Path(options.path)
    sizes = defaultdict(dict)
    columns = ["model", "client", "t_s", "field", "mean"]
    for row in table(one(folder, "client_token_stats"), columns):
        if row["model"] == options.model:
            key = row.whole("client"), row.whole("t_s")
            if row["field"] in PROMPTS or row["field"] == "output_tokens":
                sizes[key][row["field"]] = row.number("mean")
    requests, unknown, windows = Counter(), 0.0, Counter()
    models = set()
    for row in table(one(folder, "client_rate_windows"), ["model", "client", "t_s", "rate_rps"]):
        models.add(row["model"])
        if row["model"] != options.model:
            continue
        at, rate = row.whole("t_s"), row.number("rate_rps")
        windows[at // RATES_S] += rate
        key = row.whole("client"), at // SIZES_S * SIZES_S
        if "output_tokens" in sizes.get(key, {}):
            requests[key] += rate * RATES_S
        else:
            unknown += rate * RATES_S
    if not windows:
        raise Wrong(f"{folder}: has no model {options.model}; it has {', '.join(sorted(models))}")
    if unknown:
        share = 100 * unknown / (unknown + sum(requests.values()))
        left_out({f"requests ({share:.1f} %) of clients whose sizes are not there": round(unknown)})
    if options.curve:
        write(options, "curve.csv", ["hour", "rate"], curve(windows, options.quantile))
    for key, count in sorted(requests.items()):
        prompt = sum(size for field, size in sizes[key].items() if field in PROMPTS)
        yield prompt, sizes[key]["output_tokens"], count


def one(folder, name):
    """The file of this name in a folder, as Parquet or CSV."""
    for suffix in [".parquet", ".csv", ".csv.gz"]:
        if (folder / f"{name}{suffix}").exists():
            return folder / f"{name}{suffix}"
    raise Wrong(f"{folder}: has no {name}.parquet or {name}.csv")


def curve(windows, quantile):
    """The rate of each hour of the day, by a quantile of its windows."""
    hours = defaultdict(list)
    for at in range(max(windows) + 1):
        hours[at * RATES_S % DAY_S // 3600].append(windows[at])
    for hour, rates in sorted(hours.items()):
        rates.sort()
        rank = max(0, math.ceil(quantile * len(rates)) - 1)
        yield hour, f"{rates[rank]:.6f}"


def classes(requests, prompts, answers):
    """Mean prompt, mean answer and share of each class of requests."""
    found = defaultdict(lambda: [0.0, 0.0, 0.0])
    up = lambda value, edges: next((edge for edge in edges if value <= edge), edges[-1])
    for prompt, answer, count in requests:
        sums = found[up(prompt, prompts), up(answer, answers)]
        for at, value in enumerate([prompt * count, answer * count, count]):
            sums[at] += value
    whole = sum(count for _, _, count in found.values())
    if not whole:
        raise Wrong("no requests are left")
    sizes = Counter()
    for _, (prompt, answer, count) in sorted(found.items()):
        sizes[round(prompt / count), round(answer / count)] += count / whole if count else 0
    for (prompt, answer), share in sizes.items():
        yield prompt, answer, f"{share:.9f}"


# What a replica can do. Each gives rows of throughput.csv.

THROUGHPUT = ["accelerator", "count", "input_tokens", "output_tokens", "requests_per_s"]
PHASES = ["prefill_s", "decode_s"]
SPLITWISE = {"a100-80gb": "A100-80GB", "h100-80gb": "H100-80GB"}


def splitwise(options):
    """Splitwise (ms): prompts of 512 tokens at batches of 1 to 64, other prompts at a batch of 1.

        first token(prompt, batch)
            = first token(512, batch) x first token(prompt, 1) / first token(512, 1)
        requests/s = batch / (first token + answer x token time(batch))

    at the batch that serves most with a first token within --ttft and a further one within --tpot.
    Between sizes that were measured, times are interpolated; the median of repeated runs counts.
    Rows of the power cap are left out: they were computed and not measured.
    """
    buckets = asked(options)
    runs = defaultdict(lambda: (defaultdict(list), defaultdict(list), defaultdict(list)))
    columns = ["model", "hardware", "prompt_size", "batch_size", "token_size", "prompt_time",
               "token_time", "tensor_parallel"]
    model, known = options.model or "llama2-70b", set()
    for row in table(options.path, columns):
        known.add(row["model"])
        if row["model"] != model or row["hardware"] not in SPLITWISE:
            continue
        sizes, batches, tokens = runs[row["hardware"], row.whole("tensor_parallel", 1)]
        prompt, batch = row.whole("prompt_size", 1), row.whole("batch_size", 1)
        first = row.number("prompt_time")
        if batch == 1:
            sizes[prompt].append(first)
        if prompt == 512 and row.whole("token_size") == 128:
            batches[batch].append(first)
            tokens[batch].append(row.number("token_time"))
    if not runs:
        raise Wrong(f"{options.path}: has no model {model}; it has {', '.join(sorted(known))}")
    median = lambda table: {key: statistics.median(all_) for key, all_ in sorted(table.items())}
    for (hardware, count), tables in sorted(runs.items()):
        for prompt, answer in buckets:
            most, first, decode = rate(map(median, tables), (prompt, answer), options)
            cells = [SPLITWISE[hardware], count, prompt, answer, f"{most:.4f}"]
            yield [*cells, f"{first:.6f}", f"{decode:.6f}"] if most else [*cells, "", ""]


def between(table, at):
    """The value at a point between measured ones, in proportion beyond them."""
    known = sorted(table)
    for low, high in zip(known, known[1:]):
        if low <= at <= high:
            part = (at - low) / (high - low)
            return table[low] + part * (table[high] - table[low])
    edge = known[0] if at < known[0] else known[-1]
    return table[edge] * at / edge


def rate(tables, size, options):
    """Most requests/s within the objective with the seconds of prefill and decode; else 0."""
    sizes, batches, tokens = tables
    (prompt, answer), best = size, (0.0, 0.0, 0.0)
    for batch, first in batches.items():
        first = first * between(sizes, prompt) / sizes[512]
        decode = answer * tokens[batch]
        if first <= options.ttft and tokens[batch] <= options.tpot:
            best = max(best, (1000 * batch / (first + decode), first / 1000, decode / 1000))
    return best


MLENERGY = {"H100": "H100-80GB", "B200": "B200-180GB"}


def mlenergy(options):
    """ML.ENERGY v3: tokens/s of answers at a saturated replica, by batch limit and parallelism.

    The most within --tpot (the 95th percentile of the time between tokens, or --itl); of repeated
    runs the least. How long a prompt was and when the first token came is not in the data: say the
    former with --input-tokens, the latter is not judged.
    """
    columns = ["task", "model_id", "gpu_model", "num_gpus", "tensor_parallel", "expert_parallel",
               "data_parallel", "max_num_seqs", "avg_output_len",
               "output_throughput_tokens_per_sec", f"{options.itl}_itl_ms"]
    runs, why, known = {}, Counter(), set()
    for row in table(options.path, columns):
        if not row["output_throughput_tokens_per_sec"]:
            continue
        known.add((row["model_id"], row["task"]))
        if (row["model_id"], row["task"]) != (options.model, options.task):
            continue
        if row["gpu_model"] not in MLENERGY:
            why[f"rows of {row['gpu_model']}, which has no name here"] += 1
            continue
        if row.number(f"{options.itl}_itl_ms") > options.tpot:
            why[f"rows with more than {options.tpot:g} ms between tokens"] += 1
            continue
        setting = tuple(row[name] for name in columns[2:8])
        run = (row.number("output_throughput_tokens_per_sec"), row.number("avg_output_len", 1))
        runs[setting] = min(run, runs.get(setting, run))
    left_out(why)
    if not runs:
        pairs = "; ".join(f"{model} {task}" for model, task in sorted(known))
        raise Wrong(f"{options.path}: has no row within {options.tpot:g} ms for --model "
                    f"{options.model} --task {options.task}; models and tasks: {pairs}")
    best = {}
    for (gpu, count, *_), run in runs.items():
        key = MLENERGY[gpu], int(count)
        best[key] = max(run, best.get(key, run))
    return one_size(best, options)


def mlperf(options):
    """MLPerf Inference: tokens/s of whole systems, as Parquet (5.1) or CSV (4.1 and before).

    A replica is a node with all of its accelerators, as that is what was measured; how many copies
    of the model ran inside is not said. Systems of one node only, valid, closed and available, in
    one --scenario (Server and Interactive hold to latencies that MLPerf sets). Of several systems
    with the same accelerators the median, or with --best the most. Input sizes are not in the data:
    say --input-tokens. MLPerf's rules apply to comparisons that are published.
    """
    newer = pathlib.Path(options.path).suffix == ".parquet"
    read = newest if newer else older
    runs, why, known = defaultdict(list), Counter(), set()
    for model, scenario, system, run in read(options.path, why):
        known.add((model, scenario))
        if (model, scenario) != (options.model, options.scenario.lower()):
            continue
        accelerator, count, nodes = system
        name = accelerator_name(accelerator)
        if nodes != 1:
            why["systems of several nodes"] += 1
        elif name is None:
            why[f"systems with {accelerator or 'no accelerator'}, which has no name here"] += 1
        elif run[1] is None and options.output_tokens is None:
            why["systems that do not say how long answers were: say --output-tokens"] += 1
        else:
            tokens, answer = run
            runs[name, count].append((tokens, answer or float(options.output_tokens)))
    left_out(why)
    if not runs:
        pairs = "; ".join(f"{model} {scenario}" for model, scenario in sorted(known))
        raise Wrong(f"{options.path}: nothing is left for --model {options.model} --scenario "
                    f"{options.scenario}; models and scenarios: {pairs}")
    pick = max if options.best else lambda all_: sorted(all_)[(len(all_) - 1) // 2]
    return one_size({key: pick(all_) for key, all_ in runs.items()}, options)


def newest(path, why):
    """Systems of the summary of 5.1: model, scenario, accelerators, (tokens/s, tokens/answer)."""
    columns = ["Category", "Availability", "UsedModel", "Scenario", "Accelerator", "a#", "Nodes",
               "errors", "Accuracy", "Performance_Result", "Performance_Units"]
    for row in table(path, columns):
        if row["Performance_Units"] != "Tokens/s":
            continue
        if (row["Category"], row["Availability"]) != ("closed", "available") or row["errors"]:
            why["rows that are open, not available or with errors"] += 1
            continue
        if not row["a#"]:
            why["rows without accelerators"] += 1
            continue
        found = re.search(r"TOKENS_PER_SAMPLE: ([0-9.]+)", row["Accuracy"] or "")
        system = row["Accelerator"], row.whole("a#", 1), row.whole("Nodes", 1)
        run = row.number("Performance_Result"), float(found[1]) if found else None
        yield row["UsedModel"], row["Scenario"].lower(), system, run


def older(path, why):
    """The same of the logs of 4.1 and before; only language models have tokens."""
    columns = ["category", "availability", "model", "scenario", "result", "accelerator",
               "accel_per_node", "nodes", "samples_per_s_offline", "samples_per_s_server",
               "tokens_per_s"]
    for row in table(path, columns):
        if not row["tokens_per_s"]:
            continue
        if (row["category"], row["result"]) != ("closed", "VALID") \
                or row["availability"] != "available":
            why["rows that are open, not available or not valid"] += 1
            continue
        samples = [row.number(name) for name in columns[8:10] if row[name]]
        tokens = row.number("tokens_per_s")
        system = row["accelerator"], row.whole("accel_per_node", 1), row.whole("nodes", 1)
        answer = tokens / samples[0] if samples and samples[0] > 0 else None
        yield row["model"], row["scenario"].lower(), system, (tokens, answer)


def accelerator_name(text, names={}):
    """Our name of an accelerator as MLPerf writes it; None where there is none."""
    if not names:
        for row in table(ACCELERATORS, ["name", "aliases"]):
            for alias in [row["name"], *row["aliases"].split(";")]:
                names.setdefault(plain(alias), row["name"])
    # MODEL-FORM-MEMORY, and the memory after a blank, with what kind it is.
    turned = re.sub(r"-(SXM|NVL|PCIe)-(\d+)GB", r"-\2GB-\1", text)
    short = re.sub(r" \d+ ?GB.*| Edition$|-NPS1.*", "", turned)
    found = (names.get(plain(each)) for each in [turned, short, text.replace("-GB", "")])
    return next((name for name in found if name), None)


def plain(name):
    return re.sub(r"NVIDIA|AMD|INSTINCT|GEFORCE|EDITION|[^A-Z0-9]", "", name.upper())


def one_size(best, options):
    """Rows of what was measured with one size of requests.

    Without buckets, for that size. With buckets, by --input-weight W: a request of i in and o out
    is as much work as o + W i tokens of answers. That is said by who runs this, not measured.
    """
    if options.input_tokens is None:
        raise Wrong("how long prompts were is not in the data: say --input-tokens N")
    prompt = options.input_tokens
    usual = round(options.output_tokens or statistics.median(each for _, each in best.values()))
    if not (pathlib.Path(options.out) / "buckets.csv").exists():
        write(options, "buckets.csv", BUCKETS, [[prompt, usual, 1]])
    buckets = asked(options)
    weight = 0 if buckets == [(prompt, usual)] else options.input_weight
    if weight is None:
        raise Wrong(f"one size of requests was measured ({prompt} in, {usual} out), and "
                    f"{options.out}/buckets.csv has others: say with --input-weight what a token "
                    "of a prompt weighs in tokens of an answer")
    for (name, count), (tokens, each) in sorted(best.items()):
        for i, o in buckets:
            work = each if (i, o) == (prompt, usual) else o
            most = tokens / each * (each + weight * prompt) / (work + weight * i or 1)
            yield [name, count, i, o, f"{most:.6f}"]


# Tables written.

BUCKETS = ["input_tokens", "output_tokens", "share"]


def asked(options):
    """Sizes of the buckets in the folder."""
    rows = table(pathlib.Path(options.out) / "buckets.csv", BUCKETS)
    return [(row.whole("input_tokens"), row.whole("output_tokens")) for row in rows]


def write(options, name, header, rows):
    path = pathlib.Path(options.out) / name
    rows = list(rows)
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(header)
            out.writerows(rows)
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from error
    print(f"{path}: {len(rows)} rows", file=sys.stderr)


def edges(text):
    """Upper ends of classes: whole numbers that rise."""
    values = [int(each) for each in text.split(",")]
    if any(low >= high for low, high in zip([0, *values], values)):
        raise ValueError(text)
    return values


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    sizes = commands.add_parser("sizes", help="buckets.csv from requests")
    sizes.add_argument("source", choices=["azure", "vidur", "servegen"])
    sizes.add_argument("--prompts", type=edges, default="256,1024,2048,4096,8192",
                       help="upper ends of classes of prompts; beyond the last is in it")
    sizes.add_argument("--answers", type=edges, default="64,256,1024")
    sizes.add_argument("--curve", action="store_true", help="servegen: curve.csv, too")
    sizes.add_argument("--quantile", type=float, default=0.95, help="of an hour's windows")
    speeds = commands.add_parser("speeds", help="throughput.csv from measurements")
    speeds.add_argument("source", choices=["splitwise", "mlenergy", "mlperf"])
    speeds.add_argument("--ttft", type=float, default=2000.0, help="ms; splitwise")
    speeds.add_argument("--tpot", type=float, default=120.0, help="ms; splitwise, mlenergy")
    speeds.add_argument("--itl", choices=["median", "p90", "p95", "p99"], default="p95")
    speeds.add_argument("--task", default="lm-arena-chat", help="mlenergy")
    speeds.add_argument("--scenario", default="Server", help="mlperf")
    speeds.add_argument("--best", action="store_true", help="mlperf: the fastest system")
    speeds.add_argument("--input-tokens", type=int, help="prompts that were measured with")
    speeds.add_argument("--output-tokens", type=int, help="answers, where the data do not say")
    speeds.add_argument("--input-weight", type=float, help="a prompt's token in answer's tokens")
    for command in [sizes, speeds]:
        command.add_argument("path")
        command.add_argument("--model", help="as the source calls it")
        command.add_argument("--out", required=True, help="folder of the tables")
    return parser.parse_args()


def main():
    options = arguments()
    source = globals()[options.source]
    try:
        if options.command == "sizes":
            found = classes(source(options), options.prompts, options.answers)
            write(options, "buckets.csv", BUCKETS, found)
        else:
            header = THROUGHPUT + (PHASES if options.source == "splitwise" else [])
            write(options, "throughput.csv", header, source(options))
    except Wrong as wrong:
        sys.exit(f"serving_tables: {wrong}")


if __name__ == "__main__":
    main()
