#!/usr/bin/env python3
"""What a message to 10 members costs with 10,000 sessions in 1,000 conversations, beside 1,000 sessions in 100. One member of each
conversation writes, 2,000 messages a second in all.

    make bench-breadth                    four pairs in turn: three minutes
    make bench-breadth ARGS='--docs'      and put the table into docs/performance.md

The server has core 0 for itself, `natter load` core 1. NATTER_BIN and NATTER_LOAD_BIN as for bench/run.py."""

import argparse
import json
import sys

import table
from peers import PEERS
from run import into_docs, keep, measure, prepare

# To make the members known, through the server's API.
KEY = "a key for this run alone, of 32 characters or more"

FEW, MANY = 100, 1_000
MEMBERS = 10
PER_SECOND = 2_000

# What no delivery may be.
FAULTS = ["lost", "duplicated", "out_of_order", "strayed"]


def with_key(port, database):
    command, environment = PEERS["natter"](port, database)
    return command, environment | {"NATTER_API__KEYS": json.dumps([KEY])}


def cost(run, conversations):
    """CPU of the server, µs a message."""
    room = ["--sessions", conversations * MEMBERS, "--conversations", conversations, "--members", MEMBERS]
    pace = ["--senders", conversations, "--rate", PER_SECOND, "--seconds", 10, "--key", KEY]
    result = measure(with_key, [str(part) for part in room + pace])
    keep(result, run=run, scenario=f"{conversations} conversations", peer="natter")
    if "failed" in result:
        sys.exit(result["failed"])
    messages, deliveries = result["messages"], result["deliveries"]
    wrong = [messages["refused"], messages["unanswered"], *(deliveries[fault] for fault in FAULTS)]
    if any(wrong) or messages["per_second"] < 0.99 * PER_SECOND:
        sys.exit(f"not what was asked for: {messages}, {deliveries}")
    return result["server"]["cpu_us_per_message"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--docs", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    prepare(["natter"])
    rows, ratios = [], []
    for run in range(1, asked.runs + 1):
        # Each goes first every other time.
        order = [FEW, MANY] if run % 2 else [MANY, FEW]
        us = {conversations: cost(run, conversations) for conversations in order}
        rows.append([f"{us[FEW]:.0f}", f"{us[MANY]:.0f}"])
        ratios.append(us[MANY] / us[FEW])
        print(f"run {run}: {us[MANY]:.0f} beside {us[FEW]:.0f}: {ratios[-1]:.2f}", flush=True)
    head = [f"{conversations * MEMBERS:,} sessions, µs a message" for conversations in (FEW, MANY)]
    text = table.in_turn([*head, "ratio"], rows, ratios)
    print(text)
    if asked.docs:
        into_docs({"breadth": text})


if __name__ == "__main__":
    main()
