"""How a direction was found is told in words, whatever a file says of it."""

import pytest

from kinesphere.studio.directions.words import ends, words


@pytest.mark.parametrize(
    "found, said",
    [
        ({"by": "pca", "component": 3, "share": 0.084}, "component 3: 8.4 % of what varies"),
        (
            {"by": "pca", "component": 1, "layer": "b8.conv0", "share": 0.5},
            "component 1 of b8.conv0: 50 % of what varies",
        ),
        ({"by": "ganspace", "component": 2, "file": "a.npz"}, "component 2"),
        ({"by": "sefa", "component": 2, "share": 0.031}, "factor 2 of the weights: 3.1 % of what they react to"),
        ({"by": "labels", "count": 60, "score": 0.9}, "learnt from 60 labels"),
        ({"by": "labels", "count": "many"}, "learnt from some labels"),
        ({"by": "labels", "count": 8, "against": ["age", "light"]}, "learnt from 8 labels, leaving age, light alone"),
        ({"by": "labels", "count": 8, "against": [[]]}, "learnt from 8 labels"),
        ({"by": "labels", "count": 8000, "words": "from a frown to a smile"}, "from a frown to a smile"),
        ({"by": "labels", "count": 8, "words": ["?"]}, "learnt from 8 labels"),
        ({"words": "from a frown to a smile", "turned": "smile"}, "smile, turned round"),
        (
            {"by": "stylespace", "layer": "b16.conv0", "channel": 12, "measure": "hue"},
            "channel 12 of b16.conv0, for hue",
        ),
        ({"by": "stylespace", "layer": "b16.conv0", "channel": 12}, "channel 12 of b16.conv0"),
        ({"by": "here", "region": [0, 0, 1, 1]}, "found for a part of a picture"),
        ({"by": "chance", "seed": 5, "among": 16}, "a surprise among the first 16 components"),
        ({"by": "pca", "component": 3, "turned": "pc3"}, "pc3, turned round"),
        ({"file": "smile.npy"}, "from smile.npy"),
        ({"by": ["pca"], "component": {}}, ""),
        ({}, ""),
    ],
)
def test_what_was_found_is_told(found, said):
    assert words(found) == said


@pytest.mark.parametrize(
    "examples, said",
    [
        ({"low": [3, 8], "high": [4, 5]}, "least in the seeds 3, 8, most in 4, 5"),
        ({"low": list(range(20)), "high": [99]}, "least in the seeds 0, 1, 2, 3, 4, 5, 6, 7, most in 99"),
        ({"low": [3]}, ""),
        ({"low": "38", "high": {}}, ""),
        ({}, ""),
    ],
)
def test_whose_pictures_show_it_is_told(examples, said):
    assert ends(examples) == said
