"""What pictures are measured by is called by its name, whoever measures it."""

import numpy as np
import pytest

from kinesphere.studio.directions.measures import MEASURES
from kinesphere.train.judge import load_judge
from kinesphere.train.measuring import attribute
from kinesphere.types import KinesphereError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def pictures():
    return np.random.RandomState(0).randint(0, 256, (3, 64, 64, 3), np.uint8)


def test_a_number_of_pictures_is_itself():
    assert attribute("warmth") == ("warmth", MEASURES["warmth"])


def test_a_factor_is_what_the_judge_sees_of_it(pictures):
    name, measure = attribute("smile")
    assert name == "smile"
    assert np.array_equal(measure(pictures), load_judge().factors(pictures.transpose(0, 3, 1, 2))["smile"])


def test_what_is_no_number_is_refused():
    with pytest.raises(KinesphereError, match="glasses is one of several kinds"):
        attribute("glasses")
    with pytest.raises(KinesphereError, match="no measure 'smoke': there are brightness"):
        attribute("smoke")
