"""An empty volume and the catalogue over it."""

import pytest

from recorder.archive.catalog import Catalog
from tests.recorder.archive.recorded import Archive


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "volume")


@pytest.fixture
def catalog(archive):
    return Catalog(lambda: [archive.volume])
