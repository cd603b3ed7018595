"""`jtss data import btsbot`: published sets of labelled alerts to data sets."""

import argparse

from jtss.commands import common

HELP = "a published set of labelled alerts to a data set"
DESCRIPTION = "Turn a set of labelled alerts, as its authors published it, into one HDF5 file of sequences."
BTSBOT = (
    "Turn the BTSbot training set (Rehemtulla et al. 2024; Zenodo record 10839691) into one HDF5 file of sequences: "
    "the first 5 detections of each object, 6 hours apart. Its parts are a .npy file of stamps and a .csv file each. "
    "Objects of which the set has only some of their alerts are counted and left out."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sets = parser.add_subparsers(required=True, metavar="SET")
    btsbot = sets.add_parser("btsbot", help="the BTSbot training set", description=BTSBOT)
    add = btsbot.add_argument
    for name, suffix, text in (
        ("triplets", "npy", "stamps of each part: *_triplets_v10_N100_programid1.npy"),
        ("candidates", "csv", "table of each part, in the same order: *_cand_v10_N100_programid1.csv"),
    ):
        add(f"--{name}", nargs="+", action="extend", required=True, metavar=f"FILE.{suffix}", help=text)
    add("--out", required=True, metavar="FILE.h5", help="the data set to write")
    common.add_labels(btsbot, "go before what the set says, which is SN or nothing: ")
    common.add_allwise(btsbot)
    add("--rejects", metavar="FILE.jsonl", help="name each dropped alert and the reason here")
    add("--seed", type=int, default=0, help="of the split, where the tables have none (default: 0)")
    common.add_force(btsbot)


def run(options: argparse.Namespace):
    """The import that `options` ask for, as `data_prep.build.Built`."""
    from data_prep.published.btsbot import import_set

    columns, radius_arcsec = common.label_columns(options), common.allwise_radius(options)
    return import_set(
        options.triplets,
        options.candidates,
        options.out,
        command=options.command_line,
        labels_path=options.labels,
        columns=columns,
        allwise_path=options.allwise,
        allwise_radius_arcsec=radius_arcsec,
        rejects_path=options.rejects,
        seed=options.seed,
        force=bool(options.force),
    )
