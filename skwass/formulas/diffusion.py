"""Diffusion on a graph of points, and mass on it at many scales.

No estimator. Reference: Tong, Huguet, Natik, MacDonald, Kuchroo, Coifman, Wolf,
Krishnaswamy (2021). Diffusion earth mover's distance and distribution embeddings. ICML.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import eigsh

# Powers of the operator are multiplied out while they have no more entries than this;
# beyond, the last is applied again and again.
MAX_ENTRIES = 2**22
# From this share of entries on, a power is kept dense.
_DENSE = 0.1
_MAX_SCALES = 16


def grid_affinity(grid_shape):
    """Return affinities of the cells of a grid: 1 to itself, 1/e to neighbours."""
    adjacency = sparse.csr_array((1, 1))  # the last axis runs fastest
    for size in grid_shape:
        if size == 1:
            continue
        path = sparse.diags_array(
            [np.ones(size - 1)] * 2, offsets=[-1, 1], shape=(size, size)
        )
        adjacency = sparse.kronsum(path, adjacency)
    return (sparse.eye_array(adjacency.shape[0]) + np.exp(-1) * adjacency).tocsr()


def neighbor_affinity(nodes, n_neighbors):
    """Return affinities exp(-|x - y|^2 / (r_x r_y)) of neighbours, symmetric.

    The radius r_x is the distance of x to its last neighbour.
    """
    distances, numbers = _nearest(nodes, nodes, n_neighbors + 1)
    radii = distances[:, -1]
    radii = np.maximum(radii, 1e-9 * (radii.max() or 1.0))  # where nodes coincide
    rows = np.repeat(np.arange(len(nodes)), distances.shape[1])
    columns, d = numbers.ravel(), distances.ravel()
    weights = np.exp(-(d / radii[rows]) * (d / radii[columns]))
    affinity = sparse.csr_array((weights, (rows, columns)), shape=[len(nodes)] * 2)
    affinity.setdiag(1.0)
    return affinity.maximum(affinity.T).tocsr()


def share_mass(nodes, measures, n_neighbors):
    """Share the mass of points among their nearest nodes, nearer ones get more.

    By exp(-|x - y|^2 / r_x^2), with the distance r_x to the last of them.

    Parameters
    ----------
    nodes : ndarray of shape (n_nodes, d)
        Where mass may be.
    measures : PointClouds
        Measures.
    n_neighbors : int
        Nodes a point.

    Returns
    -------
    masses : ndarray of shape (n_measures, n_nodes)
    """
    sizes = [len(a) for a in measures.masses]
    distances, numbers = _nearest(nodes, np.concatenate(measures.points), n_neighbors)
    radii = distances[:, -1:]
    radii[radii == 0] = 1
    shares = np.exp(-np.square(distances / radii))
    shares *= (np.concatenate(measures.masses) / shares.sum(axis=1))[:, None]
    rows = np.repeat(np.arange(len(sizes)), sizes)
    flat = rows[:, None] * len(nodes) + numbers
    n_entries = len(sizes) * len(nodes)
    masses = np.bincount(flat.ravel(), shares.ravel(), minlength=n_entries)
    return masses.reshape(len(sizes), len(nodes))


def _nearest(nodes, points, n_neighbors):
    """Return distances to the nearest nodes and their numbers: [n, n_neighbors]."""
    from sklearn.neighbors import NearestNeighbors

    center = nodes.mean(axis=0)  # the neighbours of scikit-learn square coordinates
    found = NearestNeighbors(n_neighbors=min(n_neighbors, len(nodes)))
    return found.fit(nodes - center).kneighbors(points - center)


def without_density(affinity):
    """Divide affinities by the degrees at both ends, so that density has no say.

    As Coifman and Lafon with alpha = 1.
    """
    ends = sparse.diags_array(1 / affinity.sum(axis=1))
    return ends @ affinity @ ends


def diffusion_operator(even):
    """Return the transition matrix of the random walk by affinities, rows of sum 1."""
    return (sparse.diags_array(1 / even.sum(axis=1)) @ even).tocsr()


def grid_gap(grid_shape):
    """Return about the spectral gap of the walk on a grid: that of its longest axis.

    Away from the border a step along an axis has probability `2 / e` over the sum of
    affinities, and the slowest cosine on L cells decays by `1 - cos(pi / L)` of that.
    """
    longest, n_axes = max(grid_shape), sum(size > 1 for size in grid_shape)
    moves = 2 * np.exp(-1) / (1 + 2 * n_axes * np.exp(-1))
    return moves * (1 - np.cos(np.pi / longest))


def spectral_gap(even):
    """Return 1 less the second eigenvalue of the walk."""
    n = even.shape[0]
    if n == 1:
        return 1.0  # nothing is elsewhere
    root = sparse.diags_array(even.sum(axis=1) ** -0.5)
    symmetric = root @ even @ root  # has the eigenvalues of the operator
    if n < 4:
        values = np.linalg.eigvalsh(symmetric.toarray())
    else:
        # A start without symmetry: a constant one is blind to odd eigenvectors.
        start = np.random.RandomState(0).normal(size=n)
        values = np.sort(eigsh(symmetric, k=2, which="LA", v0=start, tol=1e-7)[0])
    return 1 - values[-2]


def n_mixing_scales(gap):
    """Return the K at which 2^K steps of the walk forget where they came from.

    The relaxation time, 1 over the spectral gap, twice over.
    """
    n_scales = 1 + np.ceil(-np.log2(max(gap, 2.0**-_MAX_SCALES)))
    return int(np.clip(n_scales, 1, _MAX_SCALES))


def dyadic_steps(P, n_scales):
    """Return the operators that lead from mu P^(2^k) to mu P^(2^(k+1)), k < n_scales.

    Parameters
    ----------
    P : sparse array of shape (n, n)
        Transition matrix.
    n_scales : int
        How many.

    Returns
    -------
    steps : list of (array, int)
        An operator, and how many times to apply it.
    """
    steps, operator, times, n = [], P, 1, P.shape[0]
    for _ in range(n_scales):
        steps.append((operator, times))
        is_dense = isinstance(operator, np.ndarray)
        expected = n**2 if is_dense else min(operator.nnz**2 / n, n**2)
        if times == 1 and expected <= MAX_ENTRIES:
            operator = operator @ operator
            if not is_dense and operator.nnz > _DENSE * n**2:
                operator = operator.toarray()
        else:
            times *= 2
    return steps


def diffusion_features(masses, P, steps, alpha):
    """Return features whose L1 distance is a diffusion earth mover's distance.

    `2^(-(K - k - 1) alpha) (mu P^(2^(k + 1)) - mu P^(2^k))` for k < K, then
    `mu P^(2^K)`.

    Parameters
    ----------
    masses : ndarray of shape (n_measures, n)
        mu, one row each.
    P : sparse array of shape (n, n)
        Transition matrix.
    steps : list of (array, int)
        From :func:`dyadic_steps`, K of them.
    alpha : float
        Half the power of the geodesic distance.

    Returns
    -------
    features : ndarray of shape (n_measures, (K + 1) n), float32
    """
    n_scales, n = len(steps), P.shape[0]
    features = np.empty((len(masses), (n_scales + 1) * n), dtype=np.float32)
    state = masses @ P
    for k, (operator, times) in enumerate(steps):
        spread = state
        for _ in range(times):
            spread = spread @ operator
        own = features[:, k * n : (k + 1) * n]
        np.multiply(spread - state, 2.0 ** (-(n_scales - k - 1) * alpha), out=own)
        state = spread
    features[:, n_scales * n :] = state
    return features
