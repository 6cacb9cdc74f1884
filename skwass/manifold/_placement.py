"""Points from their distances to known ones, by least squares on squared distances.

Beck, Stoica, Li (2008), Exact and approximate solutions of source localization
problems. With `z` in principal axes of the centred landmarks and `alpha = |z|^2`, the
residuals are linear in `(z, alpha)` and their normal matrix is diagonal. What is left
for each point is one equation in the multiplier of `|z|^2 = alpha`.
"""

import numpy as np

from ._dual import EPS

# Of the multiplier; rounding allows no less.
RTOL = 1e-14
# Negligible next to numbers of order 1.
FAINT = 1e-40
# A dozen Newton steps do; the bracket that guards them would be at its end by then.
MAX_STEPS = 200


def place_private(landmarks, s, d_sq):
    """Return the points, and what each has alone, that explain squared distances best.

    Minimises `sum_j (|z - landmarks_j|^2 + t + s_j - d_sq_ij)^2` over `z` in the span
    of the landmarks and `t >= 0`, for each row i, globally.

    Parameters
    ----------
    landmarks : ndarray of shape (n, k)
        Known points.
    s : ndarray of shape (n,)
        What each of these has alone, in units of squared distances.
    d_sq : ndarray of shape (m, n)
        Squared distances of new points to them.

    Returns
    -------
    points : ndarray of shape (m, k)
    t : ndarray of shape (m,)
        Not negative.
    """
    b = d_sq - s
    center, stretch, axes = _principal_axes(landmarks)
    U = (landmarks - center) @ axes.T  # [n, rank], orthogonal columns
    b = b - np.square(U).sum(axis=1)
    # Residuals are linear in z and alpha = |z|^2 + t, and alpha is free above |z|^2.
    z, alpha = -b @ U / (2 * np.square(stretch)), b.mean(axis=1)
    t = alpha - np.square(z).sum(axis=1)
    points, on_bound = z @ axes + center, t < 0
    if on_bound.any():  # t is 0, and what is left is the problem without it
        points[on_bound] = place(landmarks, (d_sq - s)[on_bound])
    return points, np.maximum(t, 0)


def place(landmarks, d_sq):
    """Return the points that explain squared distances to landmarks best.

    Minimises `sum_j (|z - landmarks_j|^2 - d_sq_ij)^2` over `z` in the span of the
    landmarks, for each row i: globally, though the problem is not convex.

    Parameters
    ----------
    landmarks : ndarray of shape (n, k)
        Known points.
    d_sq : ndarray of shape (m, n)
        Squared distances of new points to them.

    Returns
    -------
    points : ndarray of shape (m, k)
        Row i depends only on row i of `d_sq`. Of two mirror images that explain it
        equally well, always the same one.
    """
    center, stretch, axes = _principal_axes(landmarks)
    if not len(stretch):
        return np.tile(center, (len(d_sq), 1))
    curvature = 4 * np.square(stretch)
    U = (landmarks - center) @ axes.T  # [n, rank], orthogonal columns
    # Each row in a unit of its own: [m, 1].
    unit = np.maximum(d_sq.max(axis=1), curvature[0] / len(U))[:, None]
    b = (d_sq - np.square(U).sum(axis=1)) / unit
    # (curvature + multiplier) z = c, and n |z|^2 = sum b + multiplier / 2. The solution
    # is global where curvature + multiplier is positive throughout.
    c = -2 * b @ U / np.sqrt(unit)
    # What rounding leaves of a tie would choose, and with it the rest of the batch. It
    # is as small as the axis is thin, and so is the bar.
    rounding = 32 * EPS * np.linalg.norm(b, axis=1)[:, None] * stretch
    c[np.abs(c) <= rounding / np.sqrt(unit)] = 0
    lowest = curvature[-1] / unit
    beta = b.sum(axis=1) - lowest[:, 0] / 2
    z = _solve_secular(c, curvature / unit - lowest, beta, len(U))
    return np.sqrt(unit) * z @ axes + center


def _principal_axes(landmarks):
    """Return the center of points, their singular values above rounding, and axes."""
    center = landmarks.mean(axis=0)
    _, stretch, axes = np.linalg.svd(landmarks - center, full_matrices=False)
    floor = stretch.max(initial=0) * max(landmarks.shape) * EPS
    rank = np.count_nonzero(stretch > floor)
    return center, stretch[:rank], axes[:rank]


def _solve_secular(c, delta, beta, n):
    """Return z = c / (delta + mu) with the mu > 0 at which n |z|^2 = beta + mu / 2.

    The left side falls from infinity to zero and the right side rises, so there is one
    such mu. With `x = mu - max(0, -2 beta)`, the logarithms of both are nearly straight
    lines in log x, and Newton takes few steps.

    Parameters
    ----------
    c : ndarray of shape (m, k)
        One row per point.
    delta : ndarray of shape (m, k)
        Descending in a row, the last one 0.
    beta : ndarray of shape (m,)
        One number per point.
    n : int
        Number of landmarks.
    """
    # Without a component along the flattest axis mu would be 0, with two mirror images
    # for solutions. A component too small to change the other axes chooses one.
    c = c.copy()
    c[:, -1] = np.where(np.abs(c[:, -1]) < FAINT, FAINT, c[:, -1])
    # In terms of x > 0, the right side is max(beta, 0) + x / 2 =: h.
    shifted = delta + np.maximum(-2 * beta, 0)[:, None]  # [m, k]
    beta = np.maximum(beta, 0)
    # n |z|^2 is at most n |c|^2 / x^2, and at least what the last axis brings.
    high = np.log(np.cbrt(2 * n * np.square(c).sum(axis=1))) + 1e-9
    low = _lower_end(np.abs(c[:, -1]), shifted[:, -1], beta, n)
    log_x, active = high.copy(), np.arange(len(c))
    for _ in range(MAX_STEPS):
        t = log_x[active]
        x = np.exp(t)
        width = shifted[active] + x[:, None]
        squares = np.square(c[active] / width)
        norm, h = squares.sum(axis=1), beta[active] + x / 2
        value = np.log(n * norm / h)
        slope = -x * (2 * (squares / width).sum(axis=1) / norm + 0.5 / h)
        positive = value > 0
        low[active[positive]] = t[positive]
        high[active[~positive]] = t[~positive]
        step = -value / slope
        bottom, top = low[active], high[active]
        outside = (t + step <= bottom) | (t + step >= top)
        # Where the slope is small, so is what log_x has to say about z.
        done = np.minimum(np.abs(step), np.abs(value)) <= RTOL
        log_x[active] = np.where(outside & ~done, (bottom + top) / 2, t + step)
        active = active[~done]
        if not len(active):
            break
    return c / (shifted + np.exp(log_x)[:, None])


def _lower_end(c, width, beta, n):
    """Return log x where n (c / (width + x))^2 is not yet below beta + x / 2."""
    with np.errstate(divide="ignore"):
        pulled = np.minimum(width, n * np.square(c / width) / 2)  # beta is 0 here
        free = np.minimum(c * np.sqrt(n / (2 * beta)), np.cbrt(n * np.square(c)))
    return np.log(np.where(width > 0, pulled, free)) - 1e-9
