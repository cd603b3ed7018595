"""What the documentation tells people who read predictions with pandas: every candid is exact, whatever its row."""

import pandas as pd
import pytest

from helpers.made_sequences import FIRST_CANDID
from jtss.inference import table

ADVICE = {
    ".csv": lambda path: pd.read_csv(path, dtype_backend="pyarrow"),
    ".parquet": lambda path: pd.read_parquet(path, dtype_backend="pyarrow"),
    ".jsonl": lambda path: pd.read_json(path, lines=True, engine="pyarrow", dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("extension", ADVICE)
def test_candid_survives_beside_a_row_without_one(tmp_path, extension):
    path = tmp_path / f"predictions{extension}"
    start = ("n1_test", "0.1.0")
    with table.open_table(path) as write:
        write([table.Row("ZTF18a", FIRST_CANDID, 1, *start, "SN", 0.7, 1, "")])
        write([table.Row("ZTF18b", None, 0, *start, None, None, None, "missing_stamp")])
    frame = ADVICE[extension](path)
    assert int(frame["candid"][0]) == FIRST_CANDID
    assert frame["candid"].isna().tolist() == [False, True]
    assert frame["oid"].tolist() == ["ZTF18a", "ZTF18b"]
    assert frame["note"].tolist()[1] == "missing_stamp"
