"""The graph: CPU per delivery, and latency, against load; an SVG that needs nothing beside it."""

import statistics

WIDTH, HEIGHT, MARGIN, TOP = 420, 280, 56, 40
COLOURS = {"natter": "#0b7285", "floor": "#868e96"}


def draw(results):
    """Two panels beside each other: a line a server, for the latency one for the median and one for the 99th percentile."""
    sound = [result for result in results if "failed" not in result]
    cpu = [line(sound, peer, lambda result: result["server"]["cpu_us_per_delivery"], peer, "") for peer in peers(sound)]
    latency = []
    for peer in peers(sound):
        for quantile, dash in (("p50", ""), ("p99", "5 4")):
            pick = lambda result, quantile=quantile: result["latency_ms"]["delivery"][quantile]
            latency.append(line(sound, peer, pick, f"{peer} {quantile}", dash))
    body = panel(0, "CPU of the server, µs a delivery", cpu) + panel(WIDTH + MARGIN, "latency, ms", latency)
    width, height = 2 * WIDTH + 2 * MARGIN, HEIGHT + TOP + MARGIN
    style = "text{font:12px system-ui,sans-serif;fill:#495057}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>CPU per delivery, and latency, against load</title><style>{style}</style>"
        f'<rect width="{width}" height="{height}" fill="#fff"/>{body}</svg>\n'
    )


def peers(results):
    return list(dict.fromkeys(result["peer"] for result in results))


def line(results, peer, pick, name, dash):
    """A point a rate, the median of its runs: in a run of seconds, one slow fsync is all of p99."""
    at = {}
    for result in results:
        if result["peer"] == peer:
            at.setdefault(result["asked"]["rate"], []).append((result["deliveries"]["per_second"] / 1000, pick(result)))
    points = [tuple(map(statistics.median, zip(*runs))) for _, runs in sorted(at.items())]
    return {"name": name, "colour": COLOURS.get(peer, "#c92a2a"), "dash": dash, "points": points}


def nice(highest):
    """The next round number, so that the axis ends on one."""
    step = 10 ** (len(str(int(max(highest, 1)))) - 1)
    return next(step * factor for factor in (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10) if step * factor >= highest)


def panel(left, title, lines):
    right = nice(max(x for line in lines for x, _ in line["points"]))
    # The uppermost quarter is the legend's.
    top = nice(max(y for line in lines for _, y in line["points"]) / 0.75)
    place = lambda x, y: (left + MARGIN + x / right * (WIDTH - MARGIN), TOP + HEIGHT - y / top * HEIGHT)
    parts = [text(left + MARGIN, TOP - 16, title, "start"), text(left + WIDTH, TOP + HEIGHT + 36, "deliveries a second, thousands", "end")]
    for quarter in range(5):
        (x, base), (start, y) = place(right * quarter / 4, 0), place(0, top * quarter / 4)
        parts.append(f'<path d="M{start:.1f} {y:.1f}H{left + WIDTH}" stroke="#dee2e6"/>')
        parts.append(text(start - 8, y + 4, f"{top * quarter / 4:g}", "end"))
        parts.append(text(x, base + 18, f"{right * quarter / 4:g}", "middle"))
    for number, line in enumerate(lines):
        points = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line["points"])
        stroke = f'stroke="{line["colour"]}" stroke-width="2" stroke-dasharray="{line["dash"]}"'
        parts.append(f'<polyline points="{points}" fill="none" {stroke}/>')
        x, y = left + WIDTH - 110, TOP + 12 + 16 * number
        parts.append(f'<path d="M{x} {y}h24" {stroke}/>' + text(x + 32, y + 4, line["name"], "start"))
    return "".join(parts)


def text(x, y, words, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'
