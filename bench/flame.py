#!/usr/bin/env python3
"""A flame graph of Natter in a scenario: bench/flame.py S1 FILE.svg

Needs perf, and inferno (cargo install inferno). NATTER_BIN is the server that is looked at, as for bench/run.py."""

import subprocess
import sys
import threading
import time

from peers import PEERS, LOAD, build, running
from run import LOAD_CORE, SCENARIOS, SERVER_CORE

# Stacks a second; of each, so many bytes are kept to find the way back through it.
FREQUENCY, STACK = 297, 16384


def record(scenario, pid, data):
    """Seconds 4 to 9 of the load: all sessions are there by then."""
    time.sleep(4)
    command = ["perf", "record", "-q", "-F", str(FREQUENCY), "--call-graph", f"dwarf,{STACK}", "-p", str(pid), "-o", data]
    subprocess.run([*command, "--", "sleep", "5"], check=True)


def main():
    scenario, drawing = sys.argv[1:]
    build(["natter"])
    data = f"{drawing}.perf"
    with running(PEERS["natter"], ["taskset", "-c", SERVER_CORE]) as (pid, port):
        recording = threading.Thread(target=record, args=(scenario, pid, data))
        recording.start()
        address = f"ws://127.0.0.1:{port}/ws-online-status"
        load = ["taskset", "-c", LOAD_CORE, LOAD, "load", "--classic", "--url", address, *SCENARIOS[scenario]]
        subprocess.run(load, check=True)
        recording.join()
    stacks = subprocess.run(["perf", "script", "-i", data], check=True, capture_output=True).stdout
    folded = subprocess.run(["inferno-collapse-perf"], input=stacks, check=True, capture_output=True).stdout
    options = ["--title", f"{scenario}: where the server's CPU time goes", "--minwidth", "0.3", "--hash"]
    with open(drawing, "wb") as file:
        subprocess.run(["inferno-flamegraph", *options], input=folded, check=True, stdout=file)


if __name__ == "__main__":
    main()
