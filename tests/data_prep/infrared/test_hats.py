"""HATS catalogues: the partitions near the positions are read, and nothing is missed."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from data_prep.infrared import crossmatch, hats
from jtss.errors import InputError

astropy_healpix = pytest.importorskip("astropy_healpix", reason="the extra hats is not installed")

RNG = np.random.default_rng(5)
N = 4000
# Half of them all over the sky, half in a crowd at the corner of pixels of every order, beside the pole and beside 0
RA = np.concatenate([RNG.uniform(0, 360, N // 2), np.mod(RNG.normal(0, 0.01, N // 2), 360)])
DEC = np.concatenate([np.degrees(np.arcsin(RNG.uniform(-1, 1, N // 2))), np.repeat([0.0, 89.99], N // 4)])
DEC[N // 2 :] += RNG.uniform(-0.005, 0.005, N // 2)
COLUMNS = {"ra": RA, "dec": DEC} | {f"w{k}mpro": np.arange(N) % 17 + k * 1.0 for k in range(1, 5)}


def pixels(order):
    from astropy import units as u

    return astropy_healpix.lonlat_to_healpix(RA * u.deg, DEC * u.deg, 2**order, order="nested")


def written(folder, *, order=1, folders=False, indexed=True, rows_per_group=64):
    """A catalogue in the layout of HATS, with columns besides."""
    of_partition, index = pixels(order), pixels(29)
    folder.mkdir(parents=True)
    (folder / "hats.properties").write_text("#HATS catalog\nobs_collection=allwise\nhats_col_ra=ra\nhats_col_dec=dec\n")
    for pixel in np.unique(of_partition):
        rows = np.flatnonzero(of_partition == pixel)
        rows = rows[np.argsort(index[rows])]
        path = folder / "dataset" / f"Norder={order}" / "Dir=0" / f"Npix={pixel}{'' if folders else '.parquet'}"
        path = path / "part0.parquet" if folders else path
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = {"_healpix_29": index[rows]} if indexed else {}
        columns |= {name: values[rows] for name, values in COLUMNS.items()} | {"cntr": ["x"] * len(rows)}
        parquet.write_table(pa.table(columns), path, row_group_size=rows_per_group)
    (folder / "dataset" / "_metadata").write_bytes(b"PAR1")
    return folder


def around_sources(n, seed):
    """Positions up to 3 arcsec from some of the crowd, and one that is unknown."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.arange(N // 2 - 50, N), n, replace=False)
    angle, apart = rng.uniform(0, 2 * np.pi, n), rng.uniform(0, 3 / 3600, n)
    ra = RA[chosen] + apart * np.cos(angle) / np.cos(np.radians(DEC[chosen]))
    return np.append(np.mod(ra, 360), np.nan), np.append(DEC[chosen] + apart * np.sin(angle), 1.0)


@pytest.mark.parametrize(
    "layout",
    [
        {"order": 0},
        {"order": 3},
        {"order": 13},
        {"folders": True},
        {"indexed": False},
        {"rows_per_group": 8},
    ],
    ids=str,
)
@pytest.mark.parametrize("radius", [2.0, 60.0])
def test_a_catalogue_in_parts_gives_the_matches_of_the_whole(tmp_path, layout, radius):
    parquet.write_table(pa.table(COLUMNS), tmp_path / "all.parquet")
    catalogue = crossmatch.load(written(tmp_path / "hats", **layout), radius)
    assert isinstance(catalogue, crossmatch.OnDemand)
    ra, dec = around_sources(120, 1)
    whole, parts = crossmatch.load(tmp_path / "all.parquet", radius), catalogue.around(ra, dec)
    expected = crossmatch.match(whole, ra, dec)
    assert 0.3 < np.isfinite(expected[:, 0]).mean() < 1
    np.testing.assert_array_equal(crossmatch.match(parts, ra, dec), expected)
    np.testing.assert_array_equal(crossmatch.n_sources(parts, ra, dec), crossmatch.n_sources(whole, ra, dec))


def test_only_what_is_near_is_read(tmp_path):
    dataset = written(tmp_path / "hats", order=2, rows_per_group=50) / "dataset"
    at = 5
    found, remark = hats.near(dataset, RA[at : at + 1], DEC[at : at + 1], 2.0)
    n_rows, n_files, n_all = (int(word) for word in remark.split() if word.isdigit())
    assert (n_files, n_all) == (1, len(np.unique(pixels(2))))
    assert n_rows <= 200
    assert len(found["ra"]) >= 1


def test_a_collection_names_its_catalogue_and_other_folders_are_none(tmp_path):
    written(tmp_path / "all" / "allwise")
    (tmp_path / "all" / "collection.properties").write_text("obs_collection=x\nhats_primary_table_url=allwise\n")
    assert hats.dataset_of(tmp_path / "all") == tmp_path / "all" / "allwise" / "dataset"
    assert hats.dataset_of(tmp_path) is None
    (tmp_path / "properties").write_bytes(b"PAR1")
    assert hats.dataset_of(tmp_path) is None


def test_what_cannot_be_read_is_named(tmp_path):
    folder = written(tmp_path / "hats", order=0)
    (broken,) = (folder / "dataset").rglob(f"Npix={pixels(0)[-1]}.parquet")
    broken.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(InputError, match=rf"{broken.name}: not a readable table"):
        crossmatch.load(folder).around(RA[-1:], DEC[-1:])
    parquet.write_table(pa.table({"ra": [1.0]}), broken)
    with pytest.raises(InputError, match=rf"{broken.name}: no column dec or dej2000; found ra"):
        crossmatch.load(folder).around(RA[-1:], DEC[-1:])
    names = ("ra", "dec", *(f"w{i}mpro" for i in (1, 2, 3, 4)))
    parquet.write_table(pa.table({name: [1.0, np.nan] for name in names}), broken)
    with pytest.raises(InputError, match=rf"{broken.name}: 1 of 2 rows that were read lack a position"):
        crossmatch.load(folder).around(RA[-1:], DEC[-1:])
    for path in folder.rglob("Npix*"):
        path.unlink()
    with pytest.raises(InputError, match=r"dataset: no partition Norder="):
        crossmatch.load(folder).around(RA[-1:], DEC[-1:])


@pytest.mark.slow
def test_a_catalogue_that_lsdb_wrote_is_matched_as_lsdb_matches_it(tmp_path):
    """The reference implementation; it is none of our dependencies."""
    lsdb = pytest.importorskip("lsdb", reason="lsdb is not installed")
    dask, pandas = pytest.importorskip("dask"), pytest.importorskip("pandas")
    rng, n = np.random.default_rng(1), 30_000
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    columns = {"ra": ra, "dec": dec, "extra": "x"} | {f"w{k}mpro": rng.uniform(8, 17, n) for k in range(1, 5)}
    at = rng.choice(n, 500, replace=False)
    places = {"ra": ra[at], "dec": dec[at] + rng.uniform(-2.5, 2.5, 500) / 3600}
    of_sky = {"ra_column": "ra", "dec_column": "dec"}
    with dask.config.set(scheduler="single-threaded"):
        parts = {"lowest_order": 0, "highest_order": 5, "partition_rows": 2000}
        lsdb.from_dataframe(pandas.DataFrame(columns), **of_sky, **parts).write_catalog(tmp_path / "hats")
        objects = lsdb.from_dataframe(pandas.DataFrame(places | {"i": np.arange(500)}), **of_sky, partition_rows=200)
        theirs = objects.crossmatch(lsdb.open_catalog(tmp_path / "hats"), radius_arcsec=2.0, suffixes=("_o", "_c"))
        theirs = theirs.compute().set_index("i_o")["w1mpro_c"]
    expected = np.full(500, np.nan, np.float32)
    expected[theirs.index.to_numpy()] = theirs.to_numpy()
    assert 300 < np.isfinite(expected).sum() < 450
    found = crossmatch.load(tmp_path / "hats").around(places["ra"], places["dec"])
    np.testing.assert_array_equal(crossmatch.match(found, places["ra"], places["dec"])[:, 0], expected)
