"""The documents that a service takes and gives, for its OpenAPI description and its readers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["alert", "detection", "limit"]
Filter = Literal["g", "r", "i"]
Share = Field(ge=0, le=1)


class Asked(BaseModel):
    """What is asked of a classification."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="name of a model, see /models; none: the first")
    trajectory: bool = Field(False, description="also the probabilities after each row of a packet")


class AskedWhich(BaseModel):
    """Which packet is asked about."""

    model_config = ConfigDict(extra="forbid")

    candid: int | None = Field(None, ge=1, lt=2**63, description="of several packets the one that is meant")


class AskedWhy(AskedWhich):
    """What is asked of an explanation."""

    model: str | None = Field(None, description="name of a model, see /models; none: the first")


class Step(BaseModel):
    """What a packet tells, and what the model says when it has read so far."""

    jd: float = Field(description="[day]")
    kind: Kind
    filter: Filter | None
    magnitude: float | None = Field(description="[mag]; of a limit its depth")
    magnitude_error: float | None = Field(description="[mag]")
    is_positive: bool | None = Field(description="brighter than in the reference image")
    probabilities: dict[str, float] | None = Field(description="null before the first detection")


class Answer(BaseModel):
    """What a model says of a packet: as `jtss serve kafka` writes it."""

    objectId: str
    candid: int
    jd: float = Field(description="of the exposure [day]")
    model: str
    classifier_version: str
    class_: str = Field(alias="class")
    probabilities: dict[str, float]
    subclass: str | None
    subclass_probability: float | None = Share
    n_detections: int
    n_limits: int
    n_stamps: int
    missing: list[str] = Field(description="groups of values that the model reads and that were not there")
    outlier: float | None = Field(ge=0, le=1, description="share of held-out alerts that look less unusual")
    note: str
    trajectory: list[Step] | None = Field(None, description="only where it is asked for")


class Rejected(BaseModel):
    """A packet, or what should hold some, that cannot be used."""

    objectId: str | None
    candid: int | None
    reason: str = Field(description="a short fixed name")
    detail: str
    source: str = Field(description="where it stood: body, or body!MEMBER of an archive")
    n_packets: int


class Answers(BaseModel):
    """One entry for each packet: among the answers, in order, or among those rejected."""

    answers: list[Answer]
    rejected: list[Rejected]


class ProblemDocument(BaseModel):
    """Why there is no answer; RFC 9457."""

    type: Literal["about:blank"]
    title: str
    status: int
    reason: str = Field(description="a short fixed name")
    detail: str
    rejected: list[Rejected]


class ModelDocument(BaseModel):
    """A model that is served."""

    name: str
    is_default: bool
    configuration: str
    version: str
    classes: list[str]
    subclasses: list[str]
    reads: str
    metadata: list[str] = Field(description="names of the values that it reads")
    knows_outliers: bool
    trained_on: str
    results: list[str] = Field(description="of its card: what it was measured on, and how often it was right")


class Models(BaseModel):
    models: list[ModelDocument]


class Part(BaseModel):
    """What the log-odds of the class lose without a part of a packet; positive: it speaks for the class."""

    name: str
    log_odds_change: float


class Row(BaseModel):
    """A row of the packet, as `Step` has it, and what the log-odds lose without it; null of the alert itself."""

    days: float = Field(description="from the alert [day]")
    kind: Kind
    filter: str
    magnitude: float | None
    class_: str | None = Field(alias="class")
    changes_the_class: bool
    probabilities: dict[str, float | None]
    log_odds_change: float | None


class Picture(BaseModel):
    """An image of a stamp.

    North is up.
    """

    channel: str
    png: str = Field(description="in base64")


class Stamps(BaseModel):
    """The images of a packet."""

    objectId: str
    candid: int
    stamps: list[Picture]


class Covered(Picture):
    """The part of a stamp that the model reads, and over it what hiding a place takes from the probability."""

    shade_png: str = Field(description="in base64, to be laid over the image; red: the place speaks for the class")
    largest_drop: float = Field(description="of the probability, under a patch")


class Hidden(BaseModel):
    """What the probability loses where a patch hides a part of a stamp."""

    patch_pixels: int
    scale: float = Field(description="drop of the probability at full colour")
    images: list[Covered]


class Explanation(BaseModel):
    """What an answer rests on."""

    objectId: str
    candid: int
    model: str
    classifier_version: str
    class_: str = Field(alias="class")
    probability: float = Share
    log_odds: float = Field(description="[nat]")
    parts: list[Part]
    rows: list[Row]
    stamps: list[Picture]
    hidden: Hidden | None = Field(description="null where there are no stamps")
