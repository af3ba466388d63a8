"""Makes regions.json and expected.json: what the recorded tracks must set off, worked out without our own code.

Distances come from PROJ (Karney's geodesics) and GEOS (through Shapely); the rules are read off docs/ and the comments
of src/geo, and written down here a second time, as plainly as can be. tests/tracks compares.

Run it in a virtual environment outside the repository, from this folder:
    python3 -m venv VENV && VENV/bin/pip install shapely==2.2.0 pyproj==3.7.2
    VENV/bin/python make_expected.py

What the recordings lack is made up here: the accuracy (5 m throughout in the series "steady", mixed in "varied"), and
times where there are none (10 s a point, before the first that has one) or where they are broken (1 s a point).
Regions are laid along the tracks; one for which a decision hangs on less than 1 cm is moved until none does.
"""
import datetime
import json
import math
import xml.etree.ElementTree as ElementTree

import pyproj
import shapely
from shapely.geometry import LineString, Point, Polygon, shape

GEOD = pyproj.Geod(ellps="WGS84")
TRACKS = ["Mojstrovka", "around-visnjan-with-car", "cerknicko-jezero", "korita-zbevnica"]
SERIES = {"steady": [5.0], "varied": [4.0, 120.0, 30.0, 5.0, 10.0, 15.0, 20.0, 65.0, 8.0, 2.0, 6.0, 12.0, 45.0]}
CM = 0.01


class Close(Exception):
    """A decision hangs on less than a centimetre."""


def sure(low, high, region=None):
    """The common answer at both ends of the centimetre."""
    if low != high:
        raise Close(region)
    return low


# --- The recordings ---------------------------------------------------------------------------------------------


def grid(text):
    """To whole 1e-7 degrees, halves away from zero: a half more or less would be a centimetre."""
    units = float(text) * 1e7
    return math.copysign(math.floor(abs(units) + 0.5), units) / 1e7


def read(name):
    root = ElementTree.parse(name + ".gpx").getroot()
    ns = root.tag.split("}")[0] + "}"
    points, times = [], []
    for p in root.iterfind(f"{ns}trk/{ns}trkseg/{ns}trkpt"):
        points.append((grid(p.get("lon")), grid(p.get("lat"))))
        time = p.find(f"{ns}time")
        if time is None:
            times.append(None)
        else:
            when = datetime.datetime.fromisoformat(time.text.rstrip("Z")[:26] + "+00:00")
            times.append(round(when.timestamp() * 1000))
    known = [t for t in times if t is not None]
    if any(b <= a for a, b in zip(known, known[1:])):
        return points, [1_290_000_000_000 + 1000 * i for i in range(len(points))]
    first = next(i for i, t in enumerate(times) if t is not None)
    assert None not in times[first:]
    return points, [times[first] - 10_000 * (first - i) for i in range(first)] + times[first:]


# --- The regions ------------------------------------------------------------------------------------------------


def outline(lon, lat, radius, corners, salt):
    """A ring of so many corners round a place, none of its sides alike."""
    ring = []
    for k in range(corners):
        far = radius * (0.6 + 0.4 * ((k * 7 + salt * 3) % 5) / 4)
        x, y, _ = GEOD.fwd(lon, lat, 360.0 * (k + 0.1 * salt) / corners, far)
        ring.append([round(x, 7), round(y, 7)])
    return ring + ring[:1]


def stride(points, times, near):
    """The middle of the first long step from a point on, for a small region that the track leaps over."""
    for i in range(near, len(points) - 1):
        if 25 < meters(points[i], points[i + 1]) < 60 and times[i + 1] - times[i] <= 60_000:
            lon, lat = ((a + b) / 2 for a, b in zip(points[i], points[i + 1]))
            return lon, lat
    return points[near]


def lay(name, points, times, i, salt):
    """The i-th of twelve regions along a track; the first holds its start."""
    near = i * len(points) // 12
    lon, lat = points[near]
    if i % 5 == 2:
        lon, lat = stride(points, times, near)
        place = [round(lon, 7), round(lat, 7)]
        properties = {"id": f"{name}:{i:02}", "radius": 5.0 + 0.1 * salt}
        return {"type": "Feature", "properties": properties, "geometry": {"type": "Point", "coordinates": place}}
    radius = [60.0, 110.0, 35.0, 160.0, 25.0, 90.0][(i + len(name)) % 6] + 0.7 * salt
    lon, lat, _ = GEOD.fwd(lon, lat, 67.0 * i, 0.45 * radius)
    lon, lat = round(lon, 7), round(lat, 7)
    properties = {"id": f"{name}:{i:02}"}
    if i % 6 == 3:
        properties["max_speed"] = 12.0
    if i % 6 == 4:
        properties["max_accuracy"] = 20.0
    if i % 2 == 0:
        properties["radius"] = round(radius, 3)
        geometry = {"type": "Point", "coordinates": [lon, lat]}
    elif i % 6 == 5:
        east, _, _ = GEOD.fwd(lon, lat, 90.0, 2.5 * radius)
        parts = [[outline(lon, lat, radius, 6, salt)], [outline(round(east, 7), lat, radius, 5, salt)]]
        geometry = {"type": "MultiPolygon", "coordinates": parts}
    else:
        rings = [outline(lon, lat, radius, 5 + i, salt)]
        if i % 6 == 3:
            rings.append(outline(lon, lat, 0.4 * radius, 4, salt))
        geometry = {"type": "Polygon", "coordinates": rings}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


class Region:
    def __init__(self, feature):
        self.id = feature["properties"]["id"]
        self.radius = feature["properties"].get("radius")
        self.max_speed = feature["properties"].get("max_speed", math.inf)
        self.shape = shape(feature["geometry"])
        assert self.shape.is_valid
        # The smaller of max_accuracy and max(100 m, size); no region here is larger than 100 m of its own.
        self.max_accuracy = min(feature["properties"].get("max_accuracy", 100.0), max(100.0, self.size()))

    def size(self):
        if self.radius is not None:
            return self.radius
        return math.sqrt(abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(self.shape))[0]) / math.pi)

    def flat(self, lon, lat, what):
        """Shapely geometry in metres round a place, sides kept straight in lon/lat by many points."""
        to = pyproj.Proj(proj="aeqd", lon_0=lon, lat_0=lat, ellps="WGS84")
        return shapely.transform(shapely.segmentize(what, 1e-4), lambda c: shapely_column(to, c))

    def distance(self, place):
        """Metres to the edge, inside positive."""
        if self.radius is not None:
            return self.radius - meters(place, self.shape.coords[0])
        edge = self.flat(*place, self.shape.boundary)
        away = edge.distance(Point(0.0, 0.0))
        return away if self.shape.covers(Point(place)) else -away

    def touched(self, a, b):
        """Whether the way between two places outside leads through."""
        way = LineString([a, b])
        if self.radius is not None:
            center = self.shape.coords[0]
            least = self.flat(*center, way).distance(Point(0.0, 0.0))
            return sure(least <= self.radius - CM, least <= self.radius + CM, self.id)
        way, area = self.flat(*a, way), self.flat(*a, self.shape)
        return sure(way.intersects(area.buffer(-CM)), way.intersects(area.buffer(CM)), self.id)


def shapely_column(to, coordinates):
    x, y = to(coordinates[:, 0], coordinates[:, 1])
    return shapely.get_coordinates(shapely.points(x, y))


def meters(a, b):
    return GEOD.inv(a[0], a[1], b[0], b[1])[2]


# --- The gate ---------------------------------------------------------------------------------------------------


class Fix:
    def __init__(self, place, ms, accuracy):
        self.place, self.seconds, self.accuracy = place, ms / 1000, max(accuracy, 3.0)


def implied(a, b, slack=0.0):
    surplus = meters(a.place, b.place) + slack - a.accuracy - b.accuracy
    return max(0.0, surplus) / (b.seconds - a.seconds)


def explained(a, b, pace):
    seconds = b.seconds - a.seconds
    reach = 2 * math.hypot(a.accuracy, b.accuracy) + min(pace, 70.0) * seconds + 2.0 * seconds**2
    way = meters(a.place, b.place)
    return sure(way - CM <= reach, way + CM <= reach)


def possible(a, b):
    return sure(implied(a, b, -CM) <= 300.0, implied(a, b, CM) <= 300.0)


def gate(fixes):
    """For each fix: "accepted", "jumped" (it agrees with one held, or three in a row were), or the reason it is held."""
    fates, last, held, pace, row = [], None, None, 0.0, 0
    for fix in fixes:
        if last is None:
            fate = "accepted"
        elif possible(last, fix) and explained(last, fix, pace):
            fate, pace = "accepted" if row < 3 else "jumped", implied(last, fix)
        elif held is not None and possible(held, fix) and explained(held, fix, pace):
            fate, pace = "jumped", implied(held, fix)
        else:
            fate = "jump" if possible(last, fix) else "teleport"
        fates.append(fate)
        if fate in ("accepted", "jumped"):
            last, held, row = fix, None, 0
        else:
            held, row = fix, row + 1
    return fates


# --- The fence --------------------------------------------------------------------------------------------------


def probability(s, a):
    return 0.5 * math.erfc(-1.515 * s / a / math.sqrt(2))


def lean(region, s, a):
    def at(s):
        p, clear = probability(s, a), s <= -max(5.0, 0.445 * a)
        if p >= 0.95:
            return "sure in"
        if p >= 0.75:
            return "in"
        if clear and p <= 0.02:
            return "sure out"
        return "out" if clear and p <= 0.25 else "unclear"

    return sure(at(s - CM), at(s + CM), region.id)


def at_edge(region, s, a):
    band = 2 * max(5.0, a)
    return sure(abs(s) - CM <= band, abs(s) + CM <= band, region.id)


def dim_fixes(fixes, fates):
    """Which accepted fixes are far less accurate than what was known just before, grown at a brisk walk."""
    known, found = None, []
    for fix, fate in zip(fixes, fates):
        dim = False
        if fate in ("accepted", "jumped"):
            dim = known is not None and fix.accuracy > 3 * (known.accuracy + 2.5 * (fix.seconds - known.seconds))
            known = known if dim else fix
        found.append(dim)
    return found


def speeds(fixes, fates, slack):
    """How fast each accepted fix counts as: its own step or the fastest lately, and the way over 3 s or more."""
    found, before, past, coming, fastest = {}, None, None, None, None
    for fix, fate in zip(fixes, fates):
        if fate not in ("accepted", "jumped"):
            continue
        step = 0.0 if before is None else implied(before, fix, slack)
        last, before = before or fix, fix
        if fate == "jumped":
            past = coming = fastest = None
            last = fix
        if coming is None:
            coming = fix
        elif fix.seconds - coming.seconds >= 3:
            past, coming = coming, fix
        way = implied(past, fix, slack) if past is not None and fix.seconds - past.seconds <= 10 else 0.0
        # Held until a fix has come 3 s after it, and for 10 s at most.
        held = fastest is not None and last.seconds - fastest[1] < 3 and fix.seconds - fastest[1] <= 10
        if not held or fastest[0] <= step:
            fastest = (step, fix.seconds)
        found[id(fix)] = max(fastest[0], way)
    return found


def fence(region, fixes, fates):
    """The transitions of one region, as (fix, kind, cause, rule, distance)."""
    found = []
    inside = first = False
    streak = 0
    left, left_at_edge = -math.inf, False
    wary_until = -math.inf
    dims = dict(zip(map(id, fixes), dim_fixes(fixes, fates)))
    slower, faster = speeds(fixes, fates, -CM), speeds(fixes, fates, CM)
    before, before_speed = None, (0.0, 0.0)
    for i, (fix, fate) in enumerate(zip(fixes, fates)):
        if fate not in ("accepted", "jumped"):
            continue
        step = (0.0, 0.0) if before is None else (implied(before, fix, -CM), implied(before, fix, CM))
        speed = (slower[id(fix)], faster[id(fix)])
        last, last_speed = before, before_speed
        before, before_speed = fix, speed
        if fate == "jumped":
            wary_until = fix.seconds + 10
        wary = fix.seconds < wary_until
        if dims[id(fix)] or not decides(region, fix, speed):
            continue
        s = region.distance(fix.place)
        to = lean(region, s, fix.accuracy)
        last_decides = last is not None and not dims[id(last)] and decides(region, last, last_speed)
        was_inside = inside
        if not inside:
            if "in" not in to.split():
                streak = 0
            else:
                if streak == 0:
                    first = last is None or (
                        last_decides and "in" in lean(region, region.distance(last.place), last.accuracy).split()
                    )
                streak += 1
                guarded = fix.seconds - left < 30 and left_at_edge and at_edge(region, s, fix.accuracy)
                certain = to == "sure in" and not first
                if (certain or streak >= 2) and not guarded and not wary:
                    cause = "already_inside" if first else "fixes"
                    found.append((i, "enter", cause, "already_inside" if first else "sure" if certain else "twice", s))
                    inside, streak = True, 0
        elif "out" not in to.split():
            streak = 0
        else:
            streak += 1
            certain = to == "sure out"
            if (certain or streak >= 2) and not wary:
                found.append((i, "exit", "fixes", "sure" if certain else "twice", s))
                inside, streak = False, 0
                left, left_at_edge = fix.seconds, at_edge(region, s, fix.accuracy)
        if was_inside or inside or not last_decides or fate == "jumped" or fix.seconds - left < 30:
            continue
        slow = sure(*(v <= 70 for v in step), region.id)
        if fix.seconds - last.seconds > 120 or not slow or max(fix.accuracy, last.accuracy) > 50:
            continue
        if meters(fix.place, region.shape.centroid.coords[0]) > 5000:
            continue
        ends_outside = s < 0 and region.distance(last.place) < 0
        if ends_outside and region.touched(last.place, fix.place):
            found.append((i, "cross", "", "cross", s))
            left, left_at_edge = fix.seconds, False
    return found


def decides(region, fix, speed):
    return fix.accuracy <= region.max_accuracy and sure(*(v <= region.max_speed for v in speed), region.id)


def settle(name, points, times, i, series):
    """A region of which no decision in any series hangs on a centimetre, and what it sets off in each."""
    for salt in range(40):
        feature = lay(name, points, times, i, salt)
        try:
            return feature, [fence(Region(feature), fixes, fates) for fixes, fates in series]
        except Close as close:
            if close.args[0] is None:
                raise
    raise SystemExit(f"{name} {i}: moved 40 times and still on the edge")


def main():
    regions, expected = {}, []
    for name in TRACKS:
        points, times = read(name)
        series = []
        for accuracies in SERIES.values():
            fixes = [Fix(p, t, accuracies[i % len(accuracies)]) for i, (p, t) in enumerate(zip(points, times))]
            series.append((fixes, gate(fixes)))
        settled = [settle(name, points, times, i, series) for i in range(12)]
        regions[name] = [feature for feature, _ in settled]
        tables = []
        for k, (kind, accuracies) in enumerate(SERIES.items()):
            fates = series[k][1]
            held = [[i, fate] for i, fate in enumerate(fates) if fate in ("jump", "teleport")]
            told = sorted([f[0], feature["properties"]["id"], *f[1:]] for feature, found in settled for f in found[k])
            tables.append((kind, accuracies, held, [[*most, round(s, 3)] for *most, s in told]))
            rules = [t[4] for t in told]
            print(name, kind, len(points), "fixes,", len(held), "held,", {r: rules.count(r) for r in sorted(set(rules))})
        expected.append((name, times, tables))
    with open("regions.json", "w") as file:
        file.write("{\n" + ",\n".join(f'"{name}": {collection(found)}' for name, found in regions.items()) + "\n}\n")
    with open("expected.json", "w") as file:
        file.write("[\n" + ",\n".join(track(*parts) for parts in expected) + "\n]\n")


def rows(items, indent):
    """A JSON list with a line for each item, so that a change can be read."""
    return "[\n" + ",\n".join(indent + json.dumps(item) for item in items) + "]"


def collection(features):
    return '{"type": "FeatureCollection", "features": ' + rows(features, "  ") + "}"


def track(name, times, tables):
    """Fix i is point i of the recording, at start_ms + 1000 seconds[i], as accurate as accuracies[i % their number]."""
    start = times[0]
    assert all((t - start) % 1000 == 0 for t in times)
    series = [
        f'  {{"series": "{kind}", "accuracies": {accuracies}, "held": {json.dumps(held)},\n'
        f'   "transitions": {rows(told, "    ")}}}'
        for kind, accuracies, held, told in tables
    ]
    seconds = [(t - start) // 1000 for t in times]
    return f' {{"track": "{name}", "start_ms": {start}, "seconds": {seconds},\n "runs": [\n' + ",\n".join(series) + "]}"


if __name__ == "__main__":
    main()
