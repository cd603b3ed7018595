"""What a notebook or somebody's own program uses: models, alerts, data sets. `jtss.NAME` is `jtss.api.NAME`.

Everything that is wrong with what the user gives is an InputError. An object that cannot be classified is no error: its
row says why.
"""

from jtss.api.alerts import Alerts, read_alerts
from jtss.api.data import Dataset, open_dataset, simulate
from jtss.api.evaluation import evaluate
from jtss.api.models import Model, list_models, load_model
from jtss.api.training import get_config, train

__all__ = [
    "Alerts",
    "Dataset",
    "Model",
    "evaluate",
    "get_config",
    "list_models",
    "load_model",
    "open_dataset",
    "read_alerts",
    "simulate",
    "train",
]
