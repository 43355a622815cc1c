"""Houses for every test of the pipeline."""

from tests.pipeline.house import make_house as make_house
