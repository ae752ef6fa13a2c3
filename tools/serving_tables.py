#!/usr/bin/env python3
"""Turn measured latencies and a request trace into the tables of examples/serving.

    tools/serving_tables.py SHARED/splitwise-perf/perf_model.csv.gz \
        data/traces/azure-llm-conv.csv examples/serving

Latencies: Splitwise, perf_model.csv (Mutinifni/splitwise-sim, MIT), llama2-70b on A100 and H100
with 2, 4 and 8 accelerators. They were measured for prompts of 512 tokens at batches of 1 to 64
and for other prompts at a batch of 1, so that

    first token(prompt, batch)
        = first token(512, batch) x first token(prompt, 1) / first token(512, 1)
    requests/s = batch / (first token + answer x token time(batch))

at the largest batch with a first token within TTFT and a further one within TPOT. Between sizes
that were measured, times are interpolated; the median of repeated runs counts.

Sizes: the Azure LLM inference trace of 2023, conversations (CC-BY-4.0), in classes of prompt and
answer; each class stands for the means of its requests.
"""

import csv
import gzip
import statistics
import sys
from collections import defaultdict

TTFT_MS, TPOT_MS = 2000.0, 120.0
PROMPTS, ANSWERS = [256, 1024, 2048, 4096, 8192], [64, 256, 1024]
NAMES = {"a100-80gb": "A100-80GB", "h100-80gb": "H100-80GB"}


def measured(path):
    """(hardware, accelerators) -> prompt times and token times in ms by size and by batch."""
    runs = defaultdict(lambda: (defaultdict(list), defaultdict(list), defaultdict(list)))
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            if row["model"] != "llama2-70b" or row["hardware"] not in NAMES:
                continue
            sizes, batches, tokens = runs[row["hardware"], int(row["tensor_parallel"])]
            prompt, batch = int(row["prompt_size"]), int(row["batch_size"])
            if batch == 1:
                sizes[prompt].append(float(row["prompt_time"]))
            if prompt == 512 and int(row["token_size"]) == 128:
                batches[batch].append(float(row["prompt_time"]))
                tokens[batch].append(float(row["token_time"]))
    median = lambda table: {key: statistics.median(all_) for key, all_ in sorted(table.items())}
    return {key: tuple(map(median, tables)) for key, tables in runs.items()}


def between(table, at):
    """The value at a point between measured ones, in proportion beyond them."""
    known = sorted(table)
    for low, high in zip(known, known[1:]):
        if low <= at <= high:
            part = (at - low) / (high - low)
            return table[low] + part * (table[high] - table[low])
    edge = known[0] if at < known[0] else known[-1]
    return table[edge] * at / edge


def rate(tables, prompt, answer):
    """Most requests per second within the objective; 0 where even one at a time is too slow."""
    sizes, batches, tokens = tables
    best = 0.0
    for batch, first in batches.items():
        first = first * between(sizes, prompt) / sizes[512]
        if first <= TTFT_MS and tokens[batch] <= TPOT_MS:
            best = max(best, 1000 * batch / (first + answer * tokens[batch]))
    return best


def classes(path):
    """Mean prompt, mean answer and number of requests of each class."""
    found = defaultdict(list)
    up = lambda value, edges: next((edge for edge in edges if value <= edge), edges[-1])
    with open(path) as file:
        for row in csv.DictReader(file):
            prompt, answer = int(row["context_tokens"]), int(row["generated_tokens"])
            found[up(prompt, PROMPTS), up(answer, ANSWERS)].append((prompt, answer))
    for _, requests in sorted(found.items()):
        prompts, answers = zip(*requests)
        yield round(statistics.mean(prompts)), round(statistics.mean(answers)), len(requests)


def main():
    latencies, trace, folder = sys.argv[1:]
    buckets = list(classes(trace))
    whole = sum(count for _, _, count in buckets)
    with open(f"{folder}/buckets.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["input_tokens", "output_tokens", "share"])
        for prompt, answer, count in buckets:
            out.writerow([prompt, answer, f"{count / whole:.9f}"])
    with open(f"{folder}/throughput.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["accelerator", "count", "input_tokens", "output_tokens", "requests_per_s"])
        for (hardware, count), tables in sorted(measured(latencies).items()):
            for prompt, answer, _ in buckets:
                most = rate(tables, prompt, answer)
                out.writerow([NAMES[hardware], count, prompt, answer, f"{most:.4f}"])


if __name__ == "__main__":
    main()
