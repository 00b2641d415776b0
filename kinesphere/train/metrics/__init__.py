"""How good the pictures of a generator are, in numbers: each metric in the file of its paper, all of them here by name."""

from kinesphere.train.metrics.evaluation import METRICS, Data, Metric, evaluate, halves
from kinesphere.train.metrics.frechet import fid, frechet_distance
from kinesphere.train.metrics.kernel import kid, polynomial_mmd
from kinesphere.train.metrics.looking import FEATURES, Features, NetworkFeatures, open_features
from kinesphere.train.metrics.paths import ppl
from kinesphere.train.metrics.support import density_coverage, precision_recall
from kinesphere.train.metrics.wasserstein import laplacian_pyramid, sliced_wasserstein, swd

__all__ = [
    "FEATURES",
    "METRICS",
    "Data",
    "Features",
    "Metric",
    "NetworkFeatures",
    "density_coverage",
    "evaluate",
    "fid",
    "frechet_distance",
    "halves",
    "kid",
    "laplacian_pyramid",
    "open_features",
    "polynomial_mmd",
    "ppl",
    "precision_recall",
    "sliced_wasserstein",
    "swd",
]
