"""Ranking beside its bars and its peers (implicit and cornac, where they are installed).

    python tests/benchmarks/bench_ranking.py [movies] [new] [stamps] [intervals] [scale] [serve]

movies, new and intervals need ../shared/data/movies beside the checkout; stamps reads sample_data/stamps. Settings are
chosen on training events and known items only. ``scale`` takes about ten minutes and 3 GB of temporary files.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

ROOT = Path(__file__).resolve().parents[2]
MOVIES = ROOT.parent / "shared" / "data" / "movies"
sys.path.insert(0, str(ROOT / "sample_data"))

from mmcli.artifacts.formats import events as formats  # noqa: E402
from mmcli.artifacts.formats.dataset import Dataset, Stream  # noqa: E402
from mmcli.ranking import content, fit, judge, metrics, redrawn, row_blocks, splits, trials  # noqa: E402
from mmcli.ranking.methods import ease, ials  # noqa: E402

PRIMARY = metrics.PRIMARY


def row(what: str, value: str, bar: str, peers: str = "") -> None:
    print(f"{what:52} {value:34} bar {bar:18} {peers}", flush=True)


def dataset(ids: list[str], parts: dict[str, np.ndarray]) -> Dataset:
    streams = {}
    for name, values in parts.items():
        there = np.abs(values).reshape(len(ids), -1).sum(1) > 0
        offsets = np.concatenate([[0], np.cumsum(there)]).astype(np.int64)
        streams[name] = Stream(
            np.ascontiguousarray(values[there], np.float32), offsets, np.zeros(int(there.sum())), there,
            meta={"kind": "vector"},
        )  # fmt: skip
    return Dataset(streams, ids, ["train"] * len(ids), [""] * len(ids), meta={"task": None})


def movies() -> tuple[formats.Events, np.ndarray, dict]:
    rows = list(csv.DictReader((MOVIES / "items.csv").open(encoding="utf-8")))
    ids = [r["id"] for r in rows]
    genres = sorted({g for r in rows for g in r["genres"].split("|")})
    parts = {
        "text": np.load(MOVIES / "plot.npy").astype(np.float32),
        "genre": np.array([[g in r["genres"].split("|") for g in genres] for r in rows], np.float32),
        "image": np.load(MOVIES / "poster.npy").astype(np.float32),
    }
    table = formats.load(MOVIES / "events.csv").numbered(ids)
    return table, formats.positives(table, "rating>=4")[0], content.raw_of(dataset(ids, parts))


def figure(score, histories, test) -> float:
    lists = metrics.rank(score, histories, test, np.ones(test.shape[1], bool))
    return float(metrics.per_user(lists)[PRIMARY].mean())


def bench_movies() -> None:
    table, liked, _ = movies()
    for name, bar in (("random", ".332"), ("last", ".187")):
        held = splits.hold_out(table, liked, given=Path(f"{MOVIES}/splits.npz#{name}"))
        keep = liked & ~held.test
        histories, test = splits.histories(table, keep), splits.histories(table, held.test)
        reached = {}
        for method in ("auto", "pop", "knn", "rp3", "ease", "ials"):
            start = time.process_time()
            model, recipe = fit.train(table, keep, {}, fit.Config(method=method))
            spent = time.process_time() - start
            reached[method] = figure(model.scores, histories, test)
            if method == "auto":
                chosen, auto_s = "+".join(p.method for p in recipe.parts), spent
        start = time.process_time()
        ease.fit(histories, ease.Config())
        one = time.process_time() - start
        row(f"{name}: auto ({chosen}) NDCG@20", f"{reached['auto']:.4f}", bar, peers(table, histories, test))
        row(f"{name}: EASE NDCG@20", f"{reached['ease']:.4f}", bar)
        row(f"{name}: CPU of EASE; of auto with its search", f"{one:.2f} s; {auto_s:.2f} s", "2 s (fit)")
        best = max((v, k) for k, v in reached.items() if k != "auto")
        behind = best[0] - reached["auto"]
        row(f"{name}: auto behind the best single ({best[1]} {best[0]:.4f})", f"{behind:+.4f}", "at most .003")


def peers(table, histories, test) -> str:
    """implicit and cornac on the same matrices, their own defaults but for what the research page tuned."""
    told = []
    if importlib.util.find_spec("implicit"):
        from implicit.als import AlternatingLeastSquares
        from implicit.nearest_neighbours import CosineRecommender

        model = AlternatingLeastSquares(factors=32, regularization=5.0, alpha=5.0, iterations=15, random_state=0)
        model.fit(histories, show_progress=False)

        def score(rows):
            folded = model.recalculate_user(np.arange(rows.shape[0]), rows)
            return np.asarray(folded @ np.asarray(model.item_factors).T, np.float32)

        told.append(f"implicit ALS {figure(score, histories, test):.4f}")
        near = CosineRecommender(K=100)
        near.fit(histories, show_progress=False)
        matrix = sp.csr_matrix(near.similarity)
        told.append(
            f"implicit cosine {figure(lambda rows: (rows @ matrix).toarray().astype('f4'), histories, test):.4f}"
        )
    if importlib.util.find_spec("cornac"):
        from cornac.data import Dataset as Uir
        from cornac.models import EASE

        users, items = histories.nonzero()
        data = Uir.from_uir([(int(u), int(i), 1.0) for u, i in zip(users, items, strict=True)], seed=0)
        model = EASE(lamb=200, verbose=False).fit(data)
        back = {v: k for k, v in data.iid_map.items()}
        order = np.array([back[i] for i in range(data.num_items)])
        B = np.zeros((histories.shape[1],) * 2, np.float32)
        B[np.ix_(order, order)] = np.asarray(model.B)
        told.append(f"cornac EASE {figure(lambda rows: (rows @ B).astype('f4'), histories, test):.4f}")
    return ", ".join(told)


def bench_new() -> None:
    table, liked, raw = movies()
    values = {"ours": [], judge.PREDICTED: [], judge.NEAREST: []}
    for draw, texts in ((1, 0.226), (2, 0.206), (3, 0.213)):
        held = splits.hold_out(table, liked, given=Path(f"{MOVIES}/splits.npz#new_{draw}"))
        keep = liked & ~held.test & ~held.new[table.item]
        start = time.process_time()
        model, recipe = fit.train(table, keep, raw, fit.Config())
        spent = time.process_time() - start
        question = judge.Question(table, liked, held, raw, draws=50)
        judged = judge.Judged()
        new = judge._new(model, recipe, question, keep, held.new, judged)
        values["ours"].append(new["metrics"][PRIMARY]["value"])
        for name in (judge.PREDICTED, judge.NEAREST):
            values[name].append(new["beside"][name][PRIMARY]["value"])
        weights = " ".join(f"{k} {v:.2f}" for k, v in recipe.weights.items())
        row(
            f"new_{draw}: NDCG@20 ({weights})", f"{values['ours'][-1]:.4f}, {spent:.1f} CPU s", f"above {texts} (texts)"
        )
    means = {name: float(np.mean(v)) for name, v in values.items()}
    beside = ", ".join(f"{k} {v:.4f}" for k, v in means.items() if k != "ours")
    row("new items, mean of three draws", f"{means['ours']:.4f}", ".25, above .221", f"here: {beside}")


def stamps() -> tuple[list[str], dict, dict[str, np.ndarray]]:
    """The ids, content as the tutorial extracts it, and the numbers of each modality that taste can be planted on."""
    from mmcli.artifacts.formats import dataset as datasets

    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, "-m", "mmcli"]
        options = ["--image", "pixels", "--audio", "mfcc", "--text", "tfidf"]
        options += ["--set", "pixels.width=16", "--set", "pixels.height=16", "-q"]
        source = str(ROOT / "sample_data/stamps/items.csv")
        subprocess.run([*run, "extract", source, "-o", folder, *options], check=True, capture_output=True)
        subprocess.run(
            [*run, "fuse", f"{folder}/manifest.jsonl", "-o", f"{folder}/i.npz"], check=True, capture_output=True
        )
        data = datasets.load(f"{folder}/i.npz")
    raw = content.raw_of(data)
    return data.id.tolist(), raw, {name: values for name, (values, _, _) in raw.items()}


def bench_stamps(seeds: int = 20) -> None:
    import recommend_data

    ids, raw, numbers = stamps()

    def named(places: np.ndarray, seed: int) -> list[str]:
        planted = recommend_data.plant(places.astype(np.float64), seed)
        user, item, moment = (np.array(column) for column in zip(*planted, strict=True))
        table = formats.Events(
            [f"u{n}" for n in range(recommend_data.USERS)], ids, user.astype(np.int32), item.astype(np.int32),
            np.arange(len(user)), time=moment.astype(float), rows=len(user),
        )  # fmt: skip
        liked = np.ones(len(user), bool)
        pool = splits.items_by_digest(ids, np.bincount(item, minlength=len(ids)) > 0, salt=str(seed))
        held = splits.Held(pool[item], pool, "a fifth of the items")
        config = fit.Config(method="ease")
        keep = ~pool[item]
        model, recipe = fit.train(table, keep, raw, config, assigned={"ease": ease.Config()})
        question = judge.Question(table, liked, held, raw, seed=seed, draws=40)
        return judge._new(model, recipe, question, keep, pool, judge.Judged())["carried_by"]

    for carrier in numbers:
        carriers = [named(numbers[carrier], seed) for seed in range(seeds)]
        first = sum(names[:1] == [carrier] for names in carriers)
        alone = sum(names == [carrier] for names in carriers)
        row(f"stamps: taste planted on {carrier}, named first; alone", f"{first}; {alone} of {seeds}", "20 of 20")
    rng = np.random.default_rng(1)
    carriers = [named(rng.normal(size=(len(ids), 8)), seed) for seed in range(seeds)]
    row(
        "stamps: events that no modality carries, none named",
        f"{sum(not names for names in carriers)} of {seeds}",
        "19 of 20",
    )


def bench_intervals(draws: int = 40) -> None:
    """90 % intervals of each draw of new films against the figure of each other draw."""
    table, liked, raw = movies()
    for share in (5, 10):
        intervals_of(f"films, a {share}th new", table, liked, raw, {"text": 0.65, "genre": 0.35}, draws, share)
    intervals_of("films by posters", table, liked, raw, {"image": 1.0}, draws, 5)


def intervals_of(what: str, table, liked, raw, weights: dict, draws: int, share: int, first: int = 5000) -> None:
    """``weights`` of the modalities are given: what is asked here is whether the intervals hold."""
    whole = splits.histories(table, liked)
    pool = np.flatnonzero(np.asarray(whole.sum(0)).ravel() > 0)
    recipe = fit.Recipe([fit.Part("ease", ease.Config())], weights, 0.3)
    reached, bounds, plain, users_only = [], [], [], []
    for draw in range(draws):
        new = np.zeros(whole.shape[1], bool)
        new[np.random.default_rng(first + draw).permutation(pool)[: len(pool) // share]] = True
        histories, test = splits.masked(whole, ~new), splits.masked(whole, new)
        model = fit.refit(recipe, table.items, histories, raw, fit.Config())
        lists = metrics.rank(model.scores, histories, test, new, metrics.DEPTH)
        each = metrics.per_user(lists)[PRIMARY]
        spread = metrics.resampled(lists, test, new, draw, 100)
        value = {PRIMARY: float(each.mean())}
        reached.append(value[PRIMARY])
        own = {name: raw[name] for name in weights}
        crossed = trials.crossed(
            table.items, whole, own, lambda early: fit.fit_part(recipe.parts[0], early, 0), weights, recipe.mu
        )
        wider = redrawn.wider(crossed, int(new.sum()), spread, 0.9, draw)
        bounds.append(metrics.intervals(value, spread, 0.9, wider=wider)[PRIMARY])
        plain.append(metrics.intervals(value, spread, 0.9)[PRIMARY])
        half = 1.645 * each.std() / len(each) ** 0.5
        users_only.append([value[PRIMARY] - half, value[PRIMARY] + half])
    pairs = [(i, j) for i in range(draws) for j in range(draws) if i != j]
    some = np.random.default_rng(0).permutation(len(pairs))[:200]
    kinds = {"other draws": bounds, "one draw's bootstrap": plain, "users alone": users_only}
    for name, intervals in kinds.items():
        held = [intervals[i][0] <= reached[j] <= intervals[i][1] for i, j in pairs]
        told = f"{100 * np.mean(np.array(held)[some]):.1f} % of 200, {100 * np.mean(held):.1f} % of {len(pairs)}"
        row(f"{what}: 90 % by {name}", told, "85-95 %" if name == "other draws" else "-")


def bench_scale(users: int = 1_000_000, items: int = 100_000, count: int = 100_000_000) -> None:
    """1M users x 100k items x 1e8 events, which come a chunk at a time and are kept on disk, in blocks of users."""
    chance = 1 / np.arange(1, items + 1) ** 0.8
    steps = np.cumsum(chance / chance.sum())
    rng = np.random.default_rng(0)

    def chunks():
        for _ in range(count // 1_000_000):
            item = np.searchsorted(steps, rng.random(1_000_000)).astype(np.int32)
            yield rng.integers(0, users, 1_000_000).astype(np.int32), item

    config = ials.Config()
    with tempfile.TemporaryDirectory() as folder:
        start, cpu = time.monotonic(), time.process_time()
        blocks = row_blocks.gathered(chunks(), (users, items), count, Path(folder))
        made_wall, made = time.monotonic() - start, time.process_time() - cpu
        disk = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e9
        start, cpu = time.monotonic(), time.process_time()
        ials.fit_blocks(blocks, config, jobs=2)
        wall, spent = time.monotonic() - start, time.process_time() - cpu
    events = int(blocks.counts.sum())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    row("scale: events made and put into blocks", f"{made_wall:.0f} s wall, {made:.0f} CPU s, {disk:.1f} GB disk", "-")
    row(
        f"scale: {events:,} events, {config.passes} passes, 2 threads",
        f"{wall / 60:.1f} min wall, {spent:.0f} CPU s, {memory:.2f} GB",
        "20 min, 6 GB",
    )
    each = 1e6 * spent / config.passes / events
    row("scale: cost of an event and pass", f"{each:.2f} us", "implicit .73 us (one thread)")
    paper = each * 100 * 1e8 * config.passes / 1e6 / 3600
    row("scale: 1e8 users of 100 events on paper", f"{paper:.0f} CPU hours, memory as above", "-")


def bench_serve(items: int = 7000, users: int = 3000) -> None:
    from mmcli.ranking import answers
    from mmcli.ranking.recommender import Recommender

    rng = np.random.default_rng(0)
    chance = 1 / np.arange(1, items + 1) ** 0.8
    met = [rng.choice(items, 40, replace=False, p=chance / chance.sum()).tolist() for _ in range(users)]
    ids = [str(i) for i in range(items)]
    histories = Recommender(ids, None).histories(met)
    scorer = ease.fit(histories, ease.Config())
    lists = answers.Lists(Recommender(ids, scorer), 20)
    asked = [answers.History(str(n), tuple(map(str, one))) for n, one in enumerate(met)]
    start, wall = time.process_time(), time.monotonic()
    for line in lists.lines(asked):
        json.dumps(line)
    spent = time.process_time() - start
    what = f"{users / spent:,.0f} a CPU second, {users / (time.monotonic() - wall):,.0f} wall"
    row(f"serve: histories scored at {items:,} items", what, "1,000 a second")


def main() -> None:
    parts = {
        "movies": bench_movies, "new": bench_new, "stamps": bench_stamps, "intervals": bench_intervals,
        "scale": bench_scale, "serve": bench_serve,
    }  # fmt: skip
    for name in sys.argv[1:] or parts:
        if name in ("movies", "new", "intervals") and not MOVIES.is_dir():
            print(f"{name}: left out, {MOVIES} is not here")
            continue
        parts[name]()


if __name__ == "__main__":
    main()
