"""Every method with its networks on a GPU, which "meta" plays, and what it leaves, loaded and drawn with there."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.methods import EVERY_METHOD, run_method
from tests.helpers.other_device import OTHER, OtherDevice, train_there
from tests.helpers.training import make_settings
from vd_core.bases.stable_diffusion import folder_source, load_base
from vd_core.customisation.load import load_customisation
from vd_core.generation.pictures import generate_pictures


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
@pytest.mark.parametrize(("name", "changes"), EVERY_METHOD)
def test_a_method_computes_where_its_networks_lie(
    base_folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, changes: dict[str, Any]
) -> None:
    train_there(monkeypatch)
    source = folder_source(base_folders["sd1"])
    with OtherDevice():
        run_method(name, load_base(source, OTHER), tmp_path, make_settings(**changes))
        base = load_base(source, OTHER)
        load_customisation(base, tmp_path)
        pictures = generate_pictures(base, ["a sks dog and a krk cat"], [1], 4, 3.0)
    assert [picture.size for picture in pictures] == [(base.resolution,) * 2]
