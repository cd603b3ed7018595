"""A data set of many files trains a network to the same bits as one file of its objects in its order."""

import pytest

from helpers.made_shards import copy, divided
from helpers.made_training import TINY, StopAfter, assert_equal_trees
from jtss.config.settings import override
from jtss.dataset import INDEX
from jtss.errors import InputError
from jtss.runs import directory
from jtss.training import mixture, trainer
from jtss.training.trainer import NeverStop

CONFIG = override(TINY, ["training.iterations=4", "training.validate_every=2", "training.patience=0"])


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """One file in the order of names, the folder, and one file in its order."""
    folder = tmp_path_factory.mktemp("shards")
    one, many = divided(folder)
    return one, many, copy(many, folder / "copy.h5")


def trained(data, out, stop=None, **given):
    training = trainer.start(CONFIG, data, out, command="a test", say=lambda line: None, **given)
    (state,) = trainer.train(training, stop or NeverStop(), warn=pytest.fail)
    return state, directory.open_run(out)


@pytest.mark.parametrize("stream", [False, True])
def test_training_on_it_comes_to_the_same_bits(paths, tmp_path, stream):
    _, many, copied = paths
    expected, run = trained(copied, tmp_path / "copy")
    for name in ("", INDEX):
        state, of_many = trained(many / name, tmp_path / f"many{name}", stream=stream)
        assert_equal_trees(state, expected)
        assert of_many.provenance["data"] == str(many / name)
        assert of_many.provenance["data_hash"] == run.provenance["data_hash"]


def test_the_same_objects_as_one_file_and_as_many_are_no_mixture(paths):
    one, many, copied = paths
    for other in (one, copied):
        with pytest.raises(InputError, match=r"many: the same content as .*h5, expected every file once"):
            mixture.check(mixture.of([other, many], [1, 1]))


def test_a_run_goes_on_where_the_folder_is_then(paths, tmp_path):
    many = paths[1]
    whole, _ = trained(many, tmp_path / "whole")
    trained(many, tmp_path / "run", stop=StopAfter(1))
    elsewhere = many.rename(tmp_path / "elsewhere")
    training = trainer.resume(tmp_path / "run", data=[elsewhere], say=pytest.fail, warn=pytest.fail)
    (state,) = trainer.train(training, NeverStop(), warn=pytest.fail)
    elsewhere.rename(many)
    assert (int(state.step), int(whole.step)) == (4, 4)
    assert_equal_trees(state, whole)
