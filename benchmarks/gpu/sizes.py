"""What is trained and how large, on a GPU and as a toy; the recipes are those of the Makefile less what is one core's.

A toy takes the same road on a CPU in a few minutes; its numbers mean nothing.
"""

from dataclasses import dataclass

from jtss.config import named, settings
from jtss.config.settings import Config

COUNTS = "log_ndethist,log_ncovhist,log_non_detections"
SEEN = "isdiffpos,magpsf,sigmapsf,diffmaglim,classtar"
PLACE = (
    "sgscore1,log_distpsnr1,sgscore2,log_distpsnr2,sgscore3,log_distpsnr3,log_chinr,sharpnr,"
    "log_distnr,magnr,abs_gal_b,ecl_lat"
)
BITS = "has_neighbours,has_reference_source,has_place"
WITHOUT = (
    "hide.counters=0.4",
    "hide.neighbours=0.1",
    "hide.reference_source=0.1",
    "hide.place=0.1",
    "hide.shape=0.1",
    "training.class_balance=counts",
    "training.metadata_noise=0.3",
)
FIRST_ALERT = (
    *WITHOUT,
    "hide.rb=0.3",
    "training.young=0.3",
    "training.learning_rate=7e-4",
    "head.units=128,128",
    "head.dropout=0.2,0.2",
    "encoder.dropout=0.2",
    f"metadata.static=fwhm,{COUNTS},{SEEN},{PLACE},rb,has_counters,has_shape,{BITS},has_rb",
)
SEQUENCES = (
    *WITHOUT,
    "hide.allwise=0.15",
    "head.dropout=0.2,0",
    f"metadata.dynamic=time_gap,fwhm,{COUNTS},{SEEN},has_counters,has_shape",
    f"metadata.static={PLACE},W1-W2,W2-W3,W3-W4,{BITS},has_allwise",
)
# In place of ONE_CORE, and of the small crops and few copies: the crop of the paper, batches of 128, all filters.
FULL_SIZE = (
    "encoder.kernels=4,3,3,3,3",
    "stamp.crop=33",
    "stamp.copies=4",
    "training.batch_size=128",
    "training.learning_rate=7e-4",
    "training.decay=cosine",
    "training.patience=0",
    "training.validate_every=250",
)
TINY = (
    "stamp.crop=5",
    "encoder.filters=2,2,3,3,3",
    "training.batch_size=16",
    "training.iterations=8",
    "training.validate_every=4",
)


@dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Attributes:
        name: "full" or "toy".
        first_alert, sequences: what is trained.
        seeds: of the first-alert model's ensemble.
        few_objects: of the small sky, to test on.
        objects: of the sky to learn from, at most.
        made_objects: with random pixels, to measure speed with.
        short_steps: of the short trainings that are compared.
        turns: of the loop, on either side of the middle of a training that is gone on with.
        pretrained: the model that ships to be tried in each precision.
        inference: sizes of a batch.
        many_seeds: as one program.
        table_settings, table_seeds, table_n: of table 8 and table 2; no seeds: the paper's, no n: all.
        table_rows: of table 2: the paper's best, one that is turned by any angle, the baseline.
    """

    name: str
    first_alert: Config
    sequences: Config
    seeds: tuple[int, ...]
    few_objects: int
    objects: int
    made_objects: int
    short_steps: int
    turns: int
    pretrained: str
    inference: tuple[int, ...]
    many_seeds: int
    table_settings: tuple[str, ...] = ()
    table_seeds: int | None = None
    table_n: tuple[int, ...] = ()
    table_rows: tuple[str, ...] = ("M_1", "M_r", "M_b")


def _config(name: str, *groups: tuple[str, ...]) -> Config:
    return settings.override(named.get(name), [assignment for group in groups for assignment in group])


FULL = Sizes(
    name="full",
    first_alert=_config("n1_enhanced", FIRST_ALERT, FULL_SIZE, ("training.iterations=13000",)),
    sequences=_config("n3_best", SEQUENCES, FULL_SIZE, ("training.iterations=10000",)),
    seeds=(0, 1, 2),
    few_objects=6000,
    objects=150_000,
    made_objects=4096,
    short_steps=500,
    turns=3,
    pretrained="n1_enhanced",
    inference=(1, 8, 64, 512, 4096),
    many_seeds=10,
)
TOY = Sizes(
    name="toy",
    first_alert=_config("n1_enhanced", FIRST_ALERT, FULL_SIZE, TINY),
    sequences=_config("n3_best", SEQUENCES, FULL_SIZE, TINY),
    seeds=(0, 1),
    few_objects=100,
    objects=400,
    made_objects=64,
    short_steps=8,
    turns=2,
    pretrained="n1_baseline",
    inference=(1, 4),
    many_seeds=2,
    table_settings=(*TINY, "stamp.copies=2"),
    table_seeds=1,
    table_n=(2,),
    table_rows=("M_1",),
)
SIZES = {sizes.name: sizes for sizes in (FULL, TOY)}
