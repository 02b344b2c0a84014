"""The servers that are compared: how each is built, started and stopped."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
OURS = str(ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/natter")
NATTER = os.environ.get("NATTER_BIN", OURS)
LOAD = os.environ.get("NATTER_LOAD_BIN", OURS)
FLOOR = BENCH / "peers/floor"


def natter(port, database):
    environment = {"PORT": port, "DATABASE_URL": f"sqlite://{database}?mode=rwc", "RUST_LOG": "warn"}
    return [NATTER, "serve"], environment | {"NATTER_LIMITS__ENABLED": "false"}


def floor(port, _):
    return [str(FLOOR / "target/release/floor"), port], {}


def floor_fsync(port, database):
    return [str(FLOOR / "target/release/floor"), port, str(database)], {}


def script(name):
    return lambda port, database: (["node", str(BENCH / "peers" / name / "server.cjs"), port, str(database)], {})


# In the order in which they take turns.
PEERS = {
    "floor": floor,
    "floor-fsync": floor_fsync,
    "natter": natter,
    "uws-batch": script("uws-batch"),
    "node": script("node"),
}


def build(peers):
    """What is not there yet; npm's packages are installed once."""
    if OURS in (LOAD, NATTER):
        subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    if {"floor", "floor-fsync"} & set(peers):
        subprocess.run(["cargo", "build", "--release", "--locked", "--target-dir", "target"], cwd=FLOOR, check=True)
    for name in ("uws-batch", "node"):
        folder = BENCH / "peers" / name
        if name in peers and not (folder / "node_modules").exists():
            subprocess.run(["npm", "ci"], cwd=folder, check=True)
            # No package runs anything at its installation but this one, which compiles or fetches its library.
            subprocess.run(["npm", "rebuild", "better-sqlite3", "--ignore-scripts=false"], cwd=folder, check=True)
    if "node" in peers and not (BENCH / "peers/node/generated").exists():
        generate_prisma(BENCH / "peers/node")


def generate_prisma(folder):
    """`prisma generate` wants a schema engine to be there, which it would download, and never runs it: a stand-in is enough."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as engine:
        engine.write("#!/bin/sh\nexit 0\n")
    os.chmod(engine.name, 0o755)
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "PRISMA_SCHEMA_ENGINE_BINARY": engine.name}
    subprocess.run(["node_modules/.bin/prisma", "generate"], cwd=folder, env=environment, check=True)
    os.unlink(engine.name)


@contextlib.contextmanager
def running(peer, prefix):
    """A server on an empty database on this disk, until the block ends: its process id and port."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=BENCH))
    port = free_port()
    command, environment = peer(port, folder / "bench.db")
    with open(folder / "log", "w") as log:
        server = subprocess.Popen([*prefix, *command], env=os.environ | environment, cwd=folder, stdout=log, stderr=log)
    try:
        await_port(server, port, folder / "log")
        yield server.pid, port
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(folder)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def await_port(server, port, log):
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", int(port)), 1).close()
            # Its first connections, and what a runtime compiles at the start, are over.
            time.sleep(1)
            return
        time.sleep(0.05)
    raise SystemExit(f"the server does not listen:\n{log.read_text()}")
