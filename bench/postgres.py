#!/usr/bin/env python3
"""Natter on PostgreSQL beside what one connection can store at all: the same rows and events, by tokio-postgres and nothing else.

    make bench-postgres                       three runs, two minutes; needs PostgreSQL's programs
    make bench-postgres ARGS='--runs 1'

Both have core 0, `natter load` core 1, and PostgreSQL both. The yardstick writes as many rows a transaction as Natter did."""

import argparse
import contextlib
import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request

import table
from peers import BENCH, LOAD, NATTER, await_port, free_port
from run import LOAD_CORE, SCENARIOS, SERVER_CORE, into_docs, keep, prepare

YARDSTICK = BENCH / "peers/postgres"
SECONDS = 10


@contextlib.contextmanager
def postgres():
    """A PostgreSQL of our own on this disk, with its defaults: the address of its server."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=BENCH))
    # It refuses to run as root.
    other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
    if other:
        shutil.chown(folder, "postgres", "postgres")
    initdb, server = ([*other, program(name), "-D", str(folder / "data")] for name in ("initdb", "postgres"))
    subprocess.run([*initdb, "-U", "postgres", "-A", "trust"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    port = free_port()
    options = ["-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with open(folder / "log", "w") as log:
        running = subprocess.Popen([*server, *options], stdout=log, stderr=log, cwd="/")
    try:
        await_port(running, port, folder / "log")
        yield f"postgres://postgres@127.0.0.1:{port}"
    finally:
        running.send_signal(2)
        running.wait()
        shutil.rmtree(folder)


def program(name):
    found = shutil.which(name) or max(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), default=None)
    return found or exit(f"{name} is not here: install PostgreSQL")


def natter(url, run):
    """S3 on PostgreSQL: messages a second, and how many of them a commit took."""
    port = free_port()
    environment = os.environ | {"PORT": port, "DATABASE_URL": url, "RUST_LOG": "warn", "NATTER_LIMITS__ENABLED": "false"}
    server = subprocess.Popen(["taskset", "-c", SERVER_CORE, NATTER, "serve"], env=environment)
    try:
        await_port(server, port, pathlib.Path(os.devnull))
        command = ["taskset", "-c", LOAD_CORE, LOAD, "load", "--classic", "--json", "-", "--pid", str(server.pid)]
        command += ["--url", f"ws://127.0.0.1:{port}/ws-online-status", *SCENARIOS["S3"]]
        result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        keep(result, run=run, scenario="S3 on PostgreSQL", peer="natter")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            metrics = answer.read().decode()
        changes, commits = (float(re.search(f"^natter_commit_changes_{part} (.*)$", metrics, re.M)[1]) for part in ("sum", "count"))
        return result["messages"]["per_second"], round(changes / commits)
    finally:
        server.terminate()
        server.wait()


def yardstick(url, rows):
    subprocess.run([NATTER, "--database-url", url, "migrate", "up"], check=True, stdout=subprocess.DEVNULL)
    binary = YARDSTICK / "target/release/postgres-floor"
    command = ["taskset", "-c", SERVER_CORE, str(binary), url, str(rows), str(SECONDS)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["messages_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--docs", action="store_true", help="put the table into docs/performance.md")
    asked = parser.parse_args()
    prepare(["natter"])
    subprocess.run(["cargo", "build", "--release", "--locked", "--target-dir", "target"], cwd=YARDSTICK, check=True)
    rows, ratios = [], []
    for run in range(1, asked.runs + 1):
        # Databases of their own, as empty in each run.
        with postgres() as server:
            mine, size = natter(f"{server}/postgres", run)
        time.sleep(1)
        with postgres() as server:
            most = yardstick(f"{server}/postgres", size)
        rows.append([f"{mine:,.0f}", str(size), f"{most:,.0f}"])
        ratios.append(mine / most)
        print(f"run {run}: {mine:,.0f} beside {most:,.0f}: {ratios[-1]:.2f}", flush=True)
    text = table.in_turn(["natter, messages/s", "rows a commit", "one connection, messages/s", "natter ÷ that"], rows, ratios)
    print(text)
    if asked.docs:
        into_docs({"postgres": text})


if __name__ == "__main__":
    main()
