"""Makes the polygon sets and expected.json: which places lie in which real areas, worked out without our own code.

GEOS (through Shapely) decides on whole numbers, units of 1e-7 degrees, where its orientation test is exact; so no
answer hangs on rounding, and tests/geo compares every one of them. Distances to edges are PROJ's (Karney).

Run it in a virtual environment outside the repository, from this folder, with a folder that holds the sources
(ne_countries_110m.geojson, osm_helsinki.geojson, us_counties_10m.geojson, timezones_simplified.geojson.gz):
    python3 -m venv VENV && VENV/bin/pip install shapely==2.2.0 pyproj==3.7.2 numpy
    VENV/bin/python make_expected.py SOURCES

The places are made from a seed, the same way here and in tests/geo/places.rs: SplitMix64, one place after another.
Of five places one is anywhere in or about an area, one within 50 m of an edge, one on a vertex, one on the middle of
an edge (to the south-west of it when that is between units), one on another whole-numbered point of an edge.
"""
import base64
import gzip
import json
import math
import sys

import numpy as np
import pyproj
import shapely
from shapely.geometry import MultiPolygon, Polygon

TURN = 3_600_000_000
HALF = TURN // 2
POLE = TURN // 4
GEOD = pyproj.Geod(ellps="WGS84")
SETS = [
    # name, source, features to keep, places
    ("helsinki", "osm_helsinki.geojson", lambda p: True, 150_000),
    ("counties", "us_counties_10m.geojson", lambda p: True, 140_000),
    ("countries", "ne_countries_110m.geojson", lambda p: True, 130_000),
    ("timezones", "timezones_simplified.geojson.gz",
     lambda p: p["tzid"].startswith(("Europe/", "Antarctica/", "Pacific/")), 50_000),
]
MASK = (1 << 64) - 1


class Dice:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n


def unit(degrees):
    """Halves away from zero, as Rust's `round`."""
    return int(math.copysign(math.floor(abs(degrees * 1e7) + 0.5), degrees))


def parts_of(geometry):
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [[[(unit(c[0]), unit(c[1])) for c in ring] for ring in part] for part in parts]


def unwrapped(ring):
    """Beside one another; an edge along a pole as drawn; a ring round the earth closed by way of the nearer pole."""
    out = [ring[0]]
    for (ax, ay), (bx, by) in zip(ring, ring[1:]):
        dx = bx - ax
        if not (abs(dx) == TURN and ay == by and abs(ay) == POLE):
            if dx > HALF:
                dx -= TURN
            elif dx < -HALF:
                dx += TURN
        out.append((out[-1][0] + dx, by))
    if out[0] != out[-1]:
        pole = POLE if sum(y for _, y in ring) >= 0 else -POLE
        out += [(out[-1][0], pole), (out[0][0], pole), out[0]]
    return out


def area(parts):
    polygons = []
    for part in parts:
        rings = [unwrapped(ring) for ring in part]
        polygons.append(Polygon(rings[0], rings[1:]))
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def box_of(parts):
    """As drawn; one over half the earth wide (it may cross the antimeridian, or go round) is as wide as the earth."""
    xs = [x for part in parts for ring in part for x, _ in ring]
    ys = [y for part in parts for ring in part for _, y in ring]
    west, east = (min(xs), max(xs)) if max(xs) - min(xs) <= HALF else (-HALF, HALF)
    low, high = min(ys), max(ys)
    return (west, -POLE if low < -8 * 10**8 else low, east, POLE if high > 8 * 10**8 else high)


def place(dice, number, edges, boxes):
    kind = number % 5
    which = dice.below(len(edges))
    if kind == 0:
        west, south, east, north = boxes[which]
        wide, high = (east - west) // 10 + 1000, (north - south) // 10 + 1000
        x = west - wide + dice.below(east - west + 2 * wide)
        y = south - high + dice.below(north - south + 2 * high)
    else:
        (ax, ay), (bx, by) = edges[which][dice.below(len(edges[which]))]
        dx, dy = bx - ax, by - ay
        if abs(dx) > HALF:
            dx, dy = 0, 0
        if kind == 1:
            part = dice.below(1001)
            x = ax + dx * part // 1000 + dice.below(9001) - 4500
            y = ay + dy * part // 1000 + dice.below(9001) - 4500
        elif kind == 2:
            x, y = ax, ay
        elif kind == 3:
            x, y = ax + dx // 2, ay + dy // 2
        else:
            steps = math.gcd(dx, dy)
            step = dice.below(steps) if steps > 0 else 0
            x, y = (ax + dx // steps * step, ay + dy // steps * step) if steps > 0 else (ax, ay)
    x = (x + HALF) % TURN - HALF
    return x, max(-POLE, min(POLE, y))


def decide(areas, boxes, places):
    """Bits of all places, each asked of all areas whose box holds it, in the order of the areas."""
    xs, ys = np.array([p[0] for p in places]), np.array([p[1] for p in places])
    rows = []
    for number, (shape, (west, south, east, north)) in enumerate(zip(areas, boxes)):
        asked = np.nonzero((xs >= west) & (xs <= east) & (ys >= south) & (ys <= north))[0]
        inside = np.zeros(len(asked), bool)
        shapely.prepare(shape)
        for turn in (0, TURN, -TURN):
            inside |= shapely.intersects_xy(shape, xs[asked] + turn, ys[asked])
        rows.append(np.column_stack([asked, np.full(len(asked), number), inside]))
    rows = np.concatenate(rows)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return rows[:, 2].astype(bool)


def meters_to(lon, lat, a, b):
    """Karney's distance to an edge that is straight in longitude and latitude: closer and closer about the best."""
    low, high = 0.0, 1.0
    for _ in range(6):
        parts = np.linspace(low, high, 65)
        x, y = a[0] + (b[0] - a[0]) * parts, a[1] + (b[1] - a[1]) * parts
        _, _, meters = GEOD.inv(np.full(65, lon), np.full(65, lat), x / 1e7, y / 1e7)
        best = int(np.argmin(meters))
        width = (high - low) / 64
        low, high = max(0.0, parts[best] - width), min(1.0, parts[best] + width)
    return float(meters[best])


def distances(dice, edges, areas):
    """Places up to a kilometre or so from an edge: area, x, y, tenths of millimetres, negative outside."""
    told = []
    while len(told) < 400:
        which = dice.below(len(edges))
        (ax, ay), (bx, by) = edges[which][dice.below(len(edges[which]))]
        part = dice.below(1001)
        reach = (90_000, 9_000, 900)[dice.below(3)]
        if abs(bx - ax) > HALF or abs(ay) > 8.5e8:
            continue
        x = ax + (bx - ax) * part // 1000 + dice.below(2 * reach + 1) - reach
        y = ay + (by - ay) * part // 1000 + dice.below(2 * reach + 1) - reach
        if abs(x) > HALF:
            continue
        lon, lat = x / 1e7, y / 1e7
        near_y = 10**5
        near_x = near_y / math.cos(math.radians(lat))
        best = math.inf
        for (ax, ay), (bx, by) in edges[which]:
            if abs(bx - ax) > HALF:
                bx += TURN if bx < ax else -TURN
            apart = min(ax, bx) > x + near_x or max(ax, bx) < x - near_x
            if not apart and min(ay, by) <= y + near_y and max(ay, by) >= y - near_y:
                best = min(best, meters_to(lon, lat, (ax, ay), (bx, by)))
        if best <= 1000.0:
            inside = any(shapely.intersects_xy(areas[which], x + turn, y) for turn in (0, TURN, -TURN))
            told.append([which, x, y, round(best * 1e4) * (1 if inside else -1)])
    return told


def main(sources):
    expected = []
    for number, (name, source, keep, count) in enumerate(SETS):
        raw = open(f"{sources}/{source}", "rb").read()
        features = json.loads(gzip.decompress(raw) if source.endswith("gz") else raw)["features"]
        features = [f for f in features if keep(f["properties"])]
        for f in features:
            f.pop("bbox", None)
        text = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
        with open(f"{name}.geojson.gz", "wb") as file:
            file.write(gzip.compress(text.encode(), 9, mtime=0))
        refused, areas, boxes, edges, own = [], [], [], [], []
        for i, f in enumerate(features):
            parts = parts_of(f["geometry"])
            shape = None
            if all(len(set(ring)) >= 3 for part in parts for ring in part):
                shape = area(parts)
            if shape is None or not shape.is_valid:
                refused.append(i)
                continue
            areas.append(shape)
            boxes.append(box_of(parts))
            rings = [ring for part in parts for ring in part]
            edges.append([e for ring in rings for e in zip(ring, ring[1:])])
            # For distances: without what was only drawn along the antimeridian or a pole.
            seam = lambda e: (abs(e[0][0]) == HALF and abs(e[1][0]) == HALF) or (abs(e[0][1]) == POLE and e[0][1] == e[1][1])
            own.append([e for e in edges[-1] if not seam(e)])
        seed = 20_261_128 + number
        dice = Dice(seed)
        places = [place(dice, k, edges, boxes) for k in range(count)]
        bits = decide(areas, boxes, places)
        far = distances(Dice(seed + 100), own, areas)
        packed = gzip.compress(np.packbits(bits, bitorder="little").tobytes(), 9, mtime=0)
        expected.append({
            "set": name, "seed": seed, "places": count, "refused": refused, "decisions": int(len(bits)),
            "inside": int(bits.sum()), "bits": base64.b64encode(packed).decode(), "distances": far,
        })
        print(name, len(areas), "areas", len(refused), "refused", len(bits), "decisions", int(bits.sum()), "inside")
    with open("expected.json", "w") as file:
        json.dump(expected, file, separators=(",", ":"))
        file.write("\n")


main(sys.argv[1])
