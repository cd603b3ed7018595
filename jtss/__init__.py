"""jtss: classify astronomical objects from their first few alerts.

    import jtss

    model = jtss.load_model("n1_enhanced")
    print(model.classify("TONIGHT/"))

What `__all__` names is in `jtss.api`, which is imported when the first of it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jtss.api import (
        Alerts,
        Dataset,
        Model,
        evaluate,
        get_config,
        list_models,
        load_model,
        open_dataset,
        read_alerts,
        simulate,
        train,
    )
    from jtss.version import __version__

__all__ = [
    "Alerts",
    "Dataset",
    "Model",
    "__version__",
    "evaluate",
    "get_config",
    "list_models",
    "load_model",
    "open_dataset",
    "read_alerts",
    "simulate",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "jtss.version" if name == "__version__" else "jtss.api"
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
