#!/usr/bin/env python3
"""Natter beside the servers that one would take instead, on this machine, in the same run.

    make bench                                        all of it, three runs: forty minutes
    make bench ARGS='--runs 1 --peers natter,floor --scenarios S1'
    make bench ARGS='--docs'                          and put tables and graph into docs/performance.md

Each server has core 0 for itself, `natter load` core 1. In S5, both run where the kernel puts them.
Results are appended to bench/results/runs.jsonl, one line a measurement.
NATTER_BIN is the server that is measured, NATTER_LOAD_BIN the generator, where they are not target/release/natter."""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import graph
import table
from peers import BENCH, LOAD, PEERS, build, running

SERVER_CORE, LOAD_CORE = "0", "1"

SCENARIOS = {
    # A full room: one writes, a thousand are told.
    "S1": ["--sessions", "1000", "--senders", "1", "--rate", "50", "--seconds", "10"],
    # A lively one: twenty write as fast as they are answered.
    "S2": ["--sessions", "200", "--senders", "20", "--window", "4", "--seconds", "10"],
    # As much as can be stored.
    "S3": ["--sessions", "10", "--senders", "10", "--window", "64", "--seconds", "10"],
    # Nobody writes.
    "S4": ["--sessions", "10000", "--rate", "0", "--seconds", "2", "--warm-up", "0"],
    # A quiet room: how soon. Of fewer messages, p99 would be the slowest one of a run.
    "S5": ["--sessions", "100", "--senders", "1", "--rate", "10", "--seconds", "40"],
}

# How often a run starts each peer anew, in turn, where what is compared is less than one process may differ from the next one of the same
# program: the run is all of them.
PASSES = {"S1": 3}

# No core is full there, and it is compared how soon a message comes, not what it costs: nothing is kept from a core that is idle.
UNPINNED = {"S5"}

# What one fsync a message costs shows where nothing else is under way.
ONLY_IN = {"floor-fsync": "S5"}

# Messages a second to a thousand sessions, for the graph.
RATES = [1, 2, 5, 10, 20, 40, 60, 80, 100]


def measure(peer, arguments, is_pinned=True):
    """What `natter load` finds out about a server that is started for it alone."""

    def on_core(core):
        return ["taskset", "-c", core] if is_pinned else []

    with running(peer, on_core(SERVER_CORE)) as (pid, port):
        command = [*on_core(LOAD_CORE), LOAD, "load", "--classic", "--json", "-", "--pid", str(pid)]
        command += ["--url", f"ws://127.0.0.1:{port}/ws-online-status", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if not ended.stdout:
            return {"failed": ended.stderr.strip().splitlines()[-1]}
        return json.loads(ended.stdout)


def prepare(peers):
    """Builds them, and sees that the machine lets them be measured."""
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("two cores are needed: one for the server, one for the load")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    (BENCH / "results").mkdir(exist_ok=True)
    build(peers)


def keep(result, **what):
    result |= what | {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "load1": round(os.getloadavg()[0], 2)}
    with open(BENCH / "results/runs.jsonl", "a") as file:
        file.write(json.dumps(result) + "\n")
    print(f"{what}: {table.summary(result)}", file=sys.stderr, flush=True)
    return result


def compare(runs, peers, scenarios):
    """Peers in turn, so that what the machine does meanwhile hits all of them."""
    results = []
    for run in range(1, runs + 1):
        for scenario in scenarios:
            own = {peer: [] for peer in peers if ONLY_IN.get(peer, scenario) == scenario}
            for turn in range(1, PASSES.get(scenario, 1) + 1):
                for peer, passes in own.items():
                    result = measure(PEERS[peer], SCENARIOS[scenario], scenario not in UNPINNED)
                    passes.append(keep(result, run=run, scenario=scenario, peer=peer, turn=turn))
            results += [table.pooled(passes) for passes in own.values()]
    return results


def sweep(runs, peers):
    room = ["--sessions", "1000", "--senders", "1", "--seconds", "5", "--warm-up", "1", "--rate"]
    return [
        keep(measure(PEERS[peer], [*room, str(rate)]), run=run, scenario="sweep", peer=peer)
        for run in range(1, runs + 1)
        for rate in RATES
        for peer in peers
    ]


def into_docs(tables):
    page = BENCH.parent / "docs/performance.md"
    text = page.read_text()
    for mark, part in tables.items():
        begin, end = f"<!-- bench: {mark} -->\n", f"<!-- end: {mark} -->\n"
        head, rest = text.split(begin)
        text = head + begin + part + end + rest.split(end)[1]
    page.write_text(text)


def some_of(names):
    """Of names with commas between: a list, each one that there is."""

    def parse(text):
        unknown = [name for name in text.split(",") if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}: of {', '.join(names)}")
        return text.split(",")

    return parse


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", type=some_of(PEERS), default=list(PEERS), help=f"of {', '.join(PEERS)}")
    parser.add_argument("--scenarios", type=some_of(SCENARIOS), default=list(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--no-graph", action="store_true", help="without the runs for the graph")
    parser.add_argument("--docs", action="store_true", help="put tables and graph into docs/performance.md")
    parser.add_argument("--note", default="", help="what is to be known about the machine, for the tables")
    asked = parser.parse_args()
    peers, scenarios = asked.peers, asked.scenarios
    prepare(peers)
    results = compare(asked.runs, peers, scenarios)
    if not results:
        sys.exit(f"nothing to run: {', '.join(f'{peer} is in {scenario} alone' for peer, scenario in ONLY_IN.items())}")
    tables = {scenario: table.markdown(scenario, results) for scenario in scenarios}
    tables["when"] = table.when(results, asked.note)
    if capacity := table.capacity(results):
        tables["capacity"] = capacity
    (BENCH / "results/table.md").write_text("\n".join(tables.values()))
    print("\n".join(tables.values()))
    if asked.docs:
        into_docs(tables)
    drawn = [peer for peer in peers if peer in ("natter", "floor")]
    sound = [] if asked.no_graph else [result for result in sweep(asked.runs, drawn) if "failed" not in result]
    if sound:
        drawing = graph.draw(sound)
        (BENCH / "results/load.svg").write_text(drawing)
        if asked.docs:
            (BENCH.parent / "docs/performance.svg").write_text(drawing)


if __name__ == "__main__":
    main()
