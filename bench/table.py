"""Results as Markdown: the median of the runs, and the ratio of each run, which says more on a machine that is never quiet."""

import os
import platform
import statistics

# What is compared, by scenario: figure, unit, and to whom the ratios are.
FIGURES = {
    "S1": [("server.cpu_us_per_delivery", "CPU, µs a delivery", "floor")],
    "S2": [("messages.per_second", "messages/s", "uws-batch"), ("server.cpu_us_per_message", "CPU, µs a message", "uws-batch")],
    "S3": [("messages.per_second", "messages/s", "uws-batch"), ("server.cpu_us_per_message", "CPU, µs a message", "uws-batch")],
    "S4": [("server.rss_kib_per_session", "KiB a session", "uws-batch")],
    "S5": [("latency_ms.delivery.p99", "p99, ms", "floor", "floor-fsync")],
}

# What else is shown of every scenario with messages.
BESIDE = [
    ("latency_ms.delivery.p50", "p50, ms"),
    ("latency_ms.delivery.p99", "p99, ms"),
    ("deliveries.lost", "lost"),
    ("generator.cores", "generator, cores"),
    ("server.waited_seconds", "server without a core, s"),
]


def value(result, path):
    for key in path.split("."):
        result = result.get(key) if isinstance(result, dict) else None
    return result


def median(results, path):
    values = [found for found in (value(result, path) for result in results) if found is not None]
    return statistics.median(values) if values else None


def digits(number):
    if number is None:
        return "–"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def summary(result):
    if "failed" in result:
        return result["failed"]
    parts = [(path, text) for figures in FIGURES.values() for path, text, *_ in figures]
    return ", ".join(f"{text} {digits(value(result, path))}" for path, text in dict(parts).items())


def ratios(results, base, path):
    """A ratio a run: both were measured within minutes of each other."""
    by_run = {result["run"]: value(result, path) for result in base}
    pairs = [(value(result, path), by_run.get(result["run"])) for result in results]
    return " · ".join(f"{mine / other:.2f}" for mine, other in pairs if mine is not None and other)


def pooled(passes):
    """The passes of a run as one: the mean of each figure, all that was lost, the highest load. One that failed, where one did."""
    failed = [result for result in passes if "failed" in result]
    return failed[0] if failed else together(passes)


def together(values, key=""):
    first = values[0]
    if isinstance(first, dict):
        return {name: together([each.get(name) for each in values], name) for name in first}
    if all(each == first for each in values) and key != "lost":
        return first
    if not all(isinstance(each, (int, float)) for each in values):
        return first
    return {"lost": sum, "load1": max}.get(key, statistics.fmean)(values)


def markdown(scenario, results):
    of = {}
    for result in results:
        if result["scenario"] == scenario and "failed" not in result:
            of.setdefault(result["peer"], []).append(result)
    beside = [] if scenario == "S4" else [pair for pair in BESIDE if pair[0] not in [path for path, *_ in FIGURES[scenario]]]
    head = ["server"]
    for _, text, *bases in FIGURES[scenario]:
        head += [text, *(f"× {base}, each run" for base in bases)]
    rows = [head + [text for _, text in beside]]
    for peer, own in of.items():
        row = [peer]
        for path, _, *bases in FIGURES[scenario]:
            row += [digits(median(own, path)), *(ratios(own, of.get(base, []), path) for base in bases)]
        rows.append(row + [digits(median(own, path)) for path, _ in beside])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" + "|--:" * (len(head) + len(beside) - 1) + "|")
    return "\n".join(lines) + "\n"


def in_turn(head, rows, ratios):
    """A table of runs of which each has its ratio, and the median of these."""
    cells = [["run", *head], *([str(run), *row, f"{ratio:.2f}"] for run, (row, ratio) in enumerate(zip(rows, ratios), 1))]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|--:" * len(cells[0]) + "|")
    return "\n".join([*lines, "", f"Median of the ratios: {statistics.median(ratios):.2f}.", ""])


def when(results, note):
    runs = max(result["run"] for result in results)
    load = max(result["load1"] for result in results)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    times = "one run" if runs == 1 else f"{runs} runs"
    text = f"Measured on {results[0]['at'][:10]}, {times}, {machine}; highest load average {load}."
    return f"{text} {note}".strip() + "\n"


# What a delivery weighs on the wire: a frame of 282 bytes for a content of 100, with TCP's and IP's headers.
WIRE_BYTES = 282 + 66

# What is left for fan-out of 16 cores: one is the lane's and SQLite's, one ChatServer's. And how busy a machine should be kept.
FAN_OUT_CORES, BUSY = 14, 0.7


def capacity(results):
    """What the figures of Natter mean in money, and for a larger machine, with the arithmetic."""
    own = [result for result in results if result["peer"] == "natter" and "failed" not in result]
    of = lambda scenario, path: median([result for result in own if result["scenario"] == scenario], path)
    delivery, message = of("S1", "server.cpu_us_per_delivery"), of("S3", "server.cpu_us_per_message")
    stored, idle = of("S3", "messages.per_second"), of("S4", "server.rss_kib_per_session")
    if None in (delivery, message, stored, idle):
        return None
    deliveries = FAN_OUT_CORES * BUSY * 1e6 / delivery
    rows = [
        ("a million messages to 1,000 sessions each (S1)", f"1,000,000 × 1,000 × {delivery:.2f} µs", f"{delivery * 1e3 / 3600:.2f} core hours"),
        ("a million messages to 10 sessions each, at full load (S3)", f"1,000,000 × {message:.2f} µs", f"{message:.1f} core seconds"),
        ("deliveries a second on 16 cores", f"{FAN_OUT_CORES} cores × {BUSY} ÷ {delivery:.2f} µs", f"{deliveries:,.0f}"),
        ("its network", f"{deliveries:,.0f} × {WIRE_BYTES} bytes × 8", f"{deliveries * WIRE_BYTES * 8 / 1e9:.1f} Gbit/s"),
        ("messages a second on 16 cores, at least", "one lane: what S3 stores with one core for everything", f"{stored:,.0f}"),
        ("users in rooms of 100 who each write once a minute", f"{deliveries:,.0f} ÷ (100 ÷ 60)", f"{deliveries * 0.6:,.0f}"),
        ("their memory, idle", f"{deliveries * 0.6:,.0f} × {idle:.2f} KiB", f"{deliveries * 0.6 * idle / 2**20:.1f} GiB"),
    ]
    lines = ["| what | arithmetic | |", "|---|---|--:|", *("| " + " | ".join(row) + " |" for row in rows)]
    return "\n".join(lines) + "\n"
