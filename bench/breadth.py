#!/usr/bin/env python3
"""What a message costs where nine sessions of ten have nothing to do with it: 1,000 conversations of 10 members each, beside 100.

    make bench-breadth                    four pairs in turn: three minutes
    make bench-breadth ARGS='--docs'      and put the table into docs/performance.md

The server has core 0 for itself, `natter load` core 1. NATTER_BIN and NATTER_LOAD_BIN as for bench/run.py."""

import argparse
import json
import resource
import statistics

from peers import PEERS, build
from run import into_docs, measure

# To make the members known, through the server's API.
KEY = "a key for this run alone, of 32 characters or more"

FEW, MANY = 100, 1_000
MEMBERS = 10
PER_SECOND = 2_000


def with_key(port, database):
    command, environment = PEERS["natter"](port, database)
    return command, environment | {"NATTER_API__KEYS": json.dumps([KEY])}


def cost(conversations):
    """CPU of the server, µs a message."""
    room = ["--sessions", conversations * MEMBERS, "--conversations", conversations, "--members", MEMBERS]
    pace = ["--senders", conversations, "--rate", PER_SECOND, "--seconds", 10, "--key", KEY]
    result = measure(with_key, [str(part) for part in room + pace])
    if "failed" in result:
        raise SystemExit(result["failed"])
    if result["deliveries"]["lost"]:
        raise SystemExit(f"{result['deliveries']['lost']} deliveries were lost")
    return result["server"]["cpu_us_per_message"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--docs", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    build(["natter"])
    head = [f"{conversations * MEMBERS:,} sessions, µs a message" for conversations in (FEW, MANY)]
    rows = [f"| run | {head[0]} | {head[1]} | ratio |", "|--:|--:|--:|--:|"]
    ratios = []
    for run in range(1, asked.runs + 1):
        few, many = cost(FEW), cost(MANY)
        ratios.append(many / few)
        rows.append(f"| {run} | {few:.0f} | {many:.0f} | {many / few:.2f} |")
        print(rows[-1], flush=True)
    table = "\n".join([*rows, f"\nMedian of the ratios: {statistics.median(ratios):.2f}.\n"])
    print(table)
    if asked.docs:
        into_docs({"breadth": table})


if __name__ == "__main__":
    main()
