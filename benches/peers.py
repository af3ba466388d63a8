"""The peers of `waystone-bench peers`: reads what it wrote down, measures each, prints a line of the same table.

Needs shapely and numpy; psycopg for --postgis, redis for --redis. benches/README.md says how to run it.
"""
import json
import sys
import time

import numpy
import shapely
from shapely.geometry import shape

data = json.load(open(sys.argv[1]))
seconds = float(sys.argv[2])
urls = dict(flag[2:].split("=", 1) for flag in sys.argv[3:])
regions = numpy.array([shape(geometry) for geometry in data["regions"]])
fixes = {name: numpy.array(data[name]) for name in ("clustered", "walking")}


def best(count, round_, limit=None):
    """Nanoseconds for each of `count`, the best of as many rounds as fit, two at least; and the last round's answer."""
    begun, least, rounds, answer = time.perf_counter(), float("inf"), 0, None
    while rounds < 2 or time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        answer = round_()
        least = min(least, (time.perf_counter() - start) / count * 1e9)
        rounds += 1
    return least, answer


def line(name, measure):
    walking, _ = measure(fixes["walking"])
    clustered, hits = measure(fixes["clustered"])
    print(f"| {name} | {clustered:.0f} | {walking:.0f} | {hits} |", flush=True)


tree = shapely.STRtree(regions)
shapely.prepare(regions)


def shapely_bulk(places):
    def round_():
        return len(tree.query(shapely.points(places), predicate="intersects")[0])

    return best(len(places), round_)


def shapely_single(places):
    few = places[:2000]

    def round_():
        return sum(len(tree.query(shapely.Point(p), predicate="intersects")) for p in few)

    least, hits = best(len(few), round_)
    return least, f"{hits} of {len(few)} fixes"


line("Shapely STRtree, prepared, all fixes in one call", shapely_bulk)
line("Shapely STRtree, prepared, one call a fix", shapely_single)

if "postgis" in urls:
    import psycopg

    with psycopg.connect(urls["postgis"], autocommit=True) as db:
        db.execute("create extension if not exists postgis")
        db.execute("drop table if exists waystone_bench")
        db.execute("create unlogged table waystone_bench (id int, shape geometry)")
        with db.cursor().copy("copy waystone_bench from stdin") as copy:
            for i, region in enumerate(regions):
                copy.write_row((i, shapely.to_wkb(region, hex=True)))
        db.execute("create index on waystone_bench using gist (shape)")
        db.execute("vacuum analyze waystone_bench")
        query = "select id from waystone_bench where st_intersects(shape, st_point(%s, %s))"

        def trips(places):
            few = places[:2000]

            def round_():
                return sum(len(db.execute(query, p.tolist(), prepare=True).fetchall()) for p in few)

            least, hits = best(len(few), round_)
            return least, f"{hits} of {len(few)} fixes"

        def join(places):
            few = places[:5000]
            db.execute("create temp table if not exists asked (p geometry)")
            db.execute("truncate asked")
            with db.cursor().copy("copy asked from stdin") as copy:
                for p in few:
                    copy.write_row((shapely.to_wkb(shapely.Point(p), hex=True),))
            db.execute("analyze asked")

            def round_():
                sql = "select count(*) from asked join waystone_bench on st_intersects(shape, p)"
                return db.execute(sql).fetchone()[0]

            least, hits = best(len(few), round_)
            return least, f"{hits} of {len(few)} fixes"

        line("PostGIS over its protocol, one fix a trip", trips)
        line("PostGIS inside, all fixes in one join", join)
        db.execute("drop table waystone_bench")

if "redis" in urls:
    import redis

    server = redis.from_url(urls["redis"])
    server.delete("waystone:bench")
    middles = [region.centroid for region in regions]
    pipe = server.pipeline(transaction=False)
    for i, middle in enumerate(middles):
        pipe.geoadd("waystone:bench", (middle.x, middle.y, str(i)))
        if i % 1000 == 999:
            pipe.execute()
    pipe.execute()

    def search(batch):
        def measure(places):
            few = places[:2000]

            def round_():
                found = 0
                for start in range(0, len(few), batch):
                    pipe = server.pipeline(transaction=False)
                    for lon, lat in few[start : start + batch].tolist():
                        pipe.geosearch("waystone:bench", longitude=lon, latitude=lat, radius=100, unit="m")
                    found += sum(len(answer) for answer in pipe.execute())
                return found

            least, hits = best(len(few), round_)
            return least, f"{hits} middles near {len(few)} fixes"

        return measure

    line("Redis GEOSEARCH 100 m, middles only, one a trip", search(1))
    line("Redis GEOSEARCH 100 m, middles only, 100 a trip", search(100))
    server.delete("waystone:bench")
