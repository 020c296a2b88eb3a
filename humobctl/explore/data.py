"""The data of the page: coordinates of users on maps, their measures and cells.

Shapes:  u users of the embeddings, n rows of their trajectories.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.embed.nearest import normalize_rows
from humobctl.embed.vectors import UserEmbeddings, Vectors, components
from humobctl.errors import HumobError
from humobctl.extras import require
from humobctl.io.by_user import sort_by_key
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Floats, Int64s
from humobctl.tables.cells import CELLS, decode_cells, encode_cells
from humobctl.tables.schemas import MASKED, SLOTS_PER_DAY

CELL_KM = 0.5
CLUSTERS = 8
LEAST_UMAP, NEIGHBOURS = 4, 15
"""Minimum number of users for UMAP, and its default number of neighbours."""
_AXES = 16
"""Principal components that clusters are made from."""
_ROUNDS = 20


@dataclass(frozen=True)
class Visits:
    """How often each user was in each cell.

    Attributes:
        starts: first entry of each user, and the end, (u + 1,).
        cell: sorted by user and cell, (v,).
        times: rows, (v,).
    """

    starts: Int64s
    cell: NDArray[np.uint16]
    times: Int64s


@dataclass(frozen=True)
class World:
    """Data of the users, in the order of the embeddings.

    Attributes:
        title: names of the files.
        uid: (u,).
        cities: names, and ``city`` the number of each user's, (u,).
        maps: name of a map -> coordinates, (u, 2).
        rows, entropy, radius, cluster: of each user, (u,): rows; entropy of the cells in bits;
            radius of gyration in km; number of the cluster.
        starts: first row of each user, and the end, (u + 1,).
        d, t, cell: rows sorted by user, day and slot, (n,); cells count from 0 at (1, 1), along y.
        visits: rows of each user in each cell they were in.
    """

    title: str
    uid: Int64s
    cities: list[str]
    city: Int64s
    maps: dict[str, Vectors]
    rows: Int64s
    entropy: Floats
    radius: Floats
    cluster: Int64s
    starts: Int64s
    d: NDArray[np.int16]
    t: NDArray[np.uint8]
    cell: NDArray[np.uint16]
    visits: Visits

    def __len__(self) -> int:
        return len(self.uid)

    def table_of(self, users: Int64s) -> pl.DataFrame:
        """The grid trajectory of some users, by their numbers; of several cities, with the city."""
        parts = [np.arange(self.starts[one], self.starts[one + 1]) for one in users.tolist()]
        row = np.concatenate([np.empty(0, np.int64), *parts])
        x, y = decode_cells(self.cell[row]).T
        owner = np.repeat(users, [len(part) for part in parts])
        several = len(self.cities) > 1
        city = pl.Series(self.cities).gather(self.city[owner])
        return pl.DataFrame(
            {
                **({"city": city} if several else {}),
                "uid": self.uid[owner],
                "d": self.d[row],
                "t": self.t[row],
                "x": x,
                "y": y,
            }
        )


def load_world(
    found: UserEmbeddings,
    paths: Sequence[str],
    names: Sequence[str],
    *,
    on_error: OnError = "fail",
    umap: bool = False,
    seed: int = 0,
) -> World:
    """Bring embeddings and trajectories together.

    Args:
        found: the embeddings.
        paths: grid trajectories, one city a file.
        names: of the cities; with several files, those that the embeddings say.
        on_error: stop at the first bad row, or drop bad rows.
        umap: whether to make a map by UMAP, too.
        seed: of clusters and UMAP.

    Raises:
        HumobError: a file cannot be read, or none of its users has an embedding.
    """
    cities = sorted(set(found.city.tolist())) if found.city is not None else [""]
    place = {name: number for number, name in enumerate(cities)}
    city = np.array(
        [place[name] for name in found.city.tolist()]
        if found.city is not None
        else [0] * len(found)
    )
    width = min(_AXES, *found.vectors.shape)
    with ThreadPoolExecutor(1) as beside:  # while the rows are read
        placed = beside.submit(_place, found.vectors, width, seed)
        frame = pl.concat(
            [
                _rows_of(found, path, _users_of(found, name, path, alone=len(paths) == 1), on_error)
                for path, name in zip(paths, names, strict=True)
            ]
        )
        frame = sort_by_key(frame)
        axes, group = placed.result()
    user = frame["uid"].to_numpy().astype(np.int64)
    counts = np.bincount(user, minlength=len(found))
    if (missing := int((counts == 0).sum())) and counts.any():
        report.warn(
            f"{missing:,} of {pluralize(len(found), 'user')} without a row in the trajectories"
        )
    cell = encode_cells(frame["x"].to_numpy(), frame["y"].to_numpy()).astype(np.uint16)
    visits = count_visits(user, cell, len(found))
    flat = np.zeros((len(found), 2), np.float32)
    flat[:, :width] = axes[:, :2]
    maps = {"PCA": flat} | ({"UMAP": _umap(found, seed)} if umap else {})
    return World(
        ", ".join(Path(name).name for name in (found.name, *paths)),
        found.uid,
        cities,
        city,
        maps,
        counts,
        entropies(visits),
        radii(visits),
        group,
        np.append(0, np.cumsum(counts)),
        frame["d"].to_numpy(),
        frame["t"].to_numpy(),
        cell,
        visits,
    )


def _users_of(found: UserEmbeddings, name: str, path: str, *, alone: bool) -> Int64s:
    """Numbers of the embeddings that belong to a file's city."""
    everyone = np.arange(len(found))
    if found.city is None or (alone and name not in found.city):
        return everyone
    users = np.flatnonzero(found.city == name)
    if not len(users):
        said = ", ".join(sorted(set(found.city.tolist())))
        raise HumobError(f"{path}: found no city {name!r} in {found.name}, expected one of {said}")
    return users


def _rows_of(found: UserEmbeddings, path: str, users: Int64s, on_error: OnError) -> pl.DataFrame:
    """Known rows of a file, with numbers of users in place of uids."""
    uid = found.uid[users]
    if len(np.unique(uid)) < len(uid):
        raise HumobError(
            f"{found.name}: found a uid in several cities, expected a file of trajectories for "
            "each, named as the cities"
        )
    number = pl.DataFrame(
        {"uid": pl.Series(uid, dtype=pl.UInt32), "user": pl.Series(users, dtype=pl.UInt32)}
    )
    known = pl.col("x") != MASKED
    batches = [
        batch.filter(known)
        .join(number, on="uid")
        .select(pl.col("user").alias("uid"), "d", "t", "x", "y")
        for batch in iter_table(path, on_error=on_error)
    ]
    frame = pl.concat(batches)
    if not frame.height:
        raise HumobError(f"{path}: found no user of {found.name} with a known cell, expected some")
    return frame


def count_visits(user: Int64s, cell: NDArray[Any], users: int) -> Visits:
    """Count the rows of ``users`` users in each cell, from their rows' users and cells, (n,)."""
    kind = pl.UInt32 if users * CELLS <= np.iinfo(np.uint32).max else pl.UInt64
    both = pl.Series(user).cast(kind) * CELLS + pl.Series(cell).cast(kind)
    # polars sorts on all cores, in a third of the time that np.unique takes.
    runs = both.sort().rle().struct.unnest()
    kinds = runs["value"].to_numpy().astype(np.int64)
    starts = np.searchsorted(kinds, np.arange(users + 1) * CELLS)
    return Visits(starts, (kinds % CELLS).astype(np.uint16), runs["len"].to_numpy())


def entropies(visits: Visits) -> Floats:
    """Entropy in bits of the cells of each user's rows, (u,)."""
    users = len(visits.starts) - 1
    owner = np.repeat(np.arange(users), np.diff(visits.starts))
    rows = np.bincount(owner, weights=visits.times, minlength=users)
    share = visits.times / rows[owner]
    bits = np.bincount(owner, weights=-share * np.log2(share), minlength=users)
    return bits.astype(np.float64)


def radii(visits: Visits) -> Floats:
    """Radius of gyration in km of each user's rows: root mean square distance to their middle."""
    users = len(visits.starts) - 1
    owner = np.repeat(np.arange(users), np.diff(visits.starts))

    def weighted_sums(values: Floats) -> Floats:
        found = np.bincount(owner, weights=values * visits.times, minlength=users)
        return found.astype(np.float64)

    many = np.maximum(weighted_sums(np.ones(len(owner))), 1)
    total = np.zeros(users)
    for axis in decode_cells(visits.cell).T - 1:
        km = axis * CELL_KM
        mean = weighted_sums(km) / many
        total += weighted_sums((km - mean[owner]) ** 2) / many
    return np.sqrt(total)


def _place(vectors: Vectors, width: int, seed: int) -> tuple[Vectors, Int64s]:
    """The first principal components, (u, width), and clusters by them, (u,)."""
    axes = components(normalize_rows(vectors), width)[0]
    return axes, clusters(axes, seed)


def clusters(axes: Vectors, seed: int) -> Int64s:
    """Numbers from 0 of k-means clusters of the first principal components, (u,), largest first."""
    from scipy.cluster.vq import kmeans2  # noqa: PLC0415

    count = min(CLUSTERS, len(axes))
    random = np.random.default_rng(seed)
    some = random.permutation(len(axes))[:20_000]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a cluster that became empty
        middles, _ = kmeans2(axes[some], count, iter=_ROUNDS, minit="++", seed=random)
    near = ((axes**2).sum(1)[:, None] - 2 * axes @ middles.T + (middles**2).sum(1)).argmin(1)
    order = np.argsort(-np.bincount(near, minlength=count), kind="stable")
    number = np.empty(count, np.int64)
    number[order] = np.arange(count)
    ordered: Int64s = number[near]
    return ordered


def _umap(found: UserEmbeddings, seed: int) -> Vectors:
    require("umap", "--umap")
    if len(found) < LEAST_UMAP:
        raise HumobError(
            f"--umap: found {pluralize(len(found), 'user')}, expected at least {LEAST_UMAP}"
        )
    import umap  # noqa: PLC0415

    near = min(NEIGHBOURS, len(found) - 1)
    mapper = umap.UMAP(
        n_components=2, n_neighbors=near, metric="cosine", random_state=seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tables of a few users
        return np.asarray(mapper.fit_transform(found.vectors), np.float32)


def hours(world: World) -> NDArray[np.uint16]:
    """Rows of each user in each hour of the day, (u, 24)."""
    user = np.repeat(np.arange(len(world)), world.rows)
    per_hour = SLOTS_PER_DAY // 24
    counts = np.bincount(user * 24 + world.t // per_hour, minlength=24 * len(world))
    return np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16).reshape(-1, 24)
