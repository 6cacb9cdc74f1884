"""Ground truths by name, and what kind of distance one is."""

from sklearn.utils._param_validation import HasMethods, StrOptions

from ._exact import ExactWasserstein
from ._gromov import EntropicGromovWasserstein, GromovWasserstein
from ._sinkhorn import SinkhornDivergence
from .ground_metric import is_euclidean

GROUND_TRUTHS = {
    "exact": ExactWasserstein,
    "sinkhorn": SinkhornDivergence,
    "gromov": GromovWasserstein,
}
GROUND_TRUTH_CONSTRAINT = [
    StrOptions(set(GROUND_TRUTHS)),
    HasMethods(["solve"]),
]
_GROMOV = (GromovWasserstein, EntropicGromovWasserstein)
# Metrics that are multiplied with the points.
_HOMOGENEOUS = {"chebyshev", "cityblock", "euclidean"}


def as_ground_truth(ground_truth, **parameters):
    """Return the object that solves pairs, its parameters checked.

    Parameters
    ----------
    ground_truth : str or object
        Given by the user.
    **parameters : dict
        Of what a name stands for, where it has them.
    """
    if isinstance(ground_truth, type):
        raise TypeError(
            f"Got ground_truth={ground_truth.__name__}, a class, expected an object. "
            f"Pass {ground_truth.__name__}()."
        )
    if isinstance(ground_truth, str):
        ground_truth = GROUND_TRUTHS[ground_truth]()
        known = ground_truth.get_params()
        ground_truth.set_params(
            **{name: value for name, value in parameters.items() if name in known}
        )
    if hasattr(ground_truth, "_parameter_constraints"):
        ground_truth._validate_params()
    return ground_truth


def is_gromov(ground_truth):
    """Whether a ground truth sees measures only up to isometry."""
    return isinstance(as_ground_truth(ground_truth), _GROMOV)


def is_wasserstein(ground_truth):
    """Whether a ground truth is a W_p with the Euclidean metric, as far as it says."""
    truth = as_ground_truth(ground_truth)
    return (
        not isinstance(truth, _GROMOV)
        and hasattr(truth, "p")
        and is_euclidean(getattr(truth, "ground_metric", None))
    )


def is_w2(ground_truth):
    """Whether a ground truth is a W2 with the Euclidean metric, so far as it says."""
    truth = as_ground_truth(ground_truth)
    return is_wasserstein(truth) and truth.p == 2


def scales_with_points(ground_truth):
    """Whether distances are in the unit of points, so far as a ground truth says."""
    truth = as_ground_truth(ground_truth)
    metric = getattr(truth, "ground_metric", None)
    return (
        isinstance(metric, str)
        and metric in _HOMOGENEOUS
        and getattr(truth, "scale", "auto") == "auto"
        and getattr(truth, "tolerance", None) is None
    )
