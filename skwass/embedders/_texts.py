"""What parameters and fitted attributes of embedders that train a network mean.

Each is explained once, here, and stands in the docstring of each class.
"""

PARAMETERS = """
    n_components : int, default={n_components}
        Dimension of the embedding, at least 1, an exact mean included and a private
        axis not. W2 on images has about 50 directions that matter; more cost little.
        Kuratowski networks have several feature maps of about this size, and rows of
        `transform` are longer: three nodes of a curve of 128 numbers, a mean in the
        plane and a private axis make 387.
    architecture : str or Architecture, default={architecture}
        The network: an object of :mod:`skwass.architectures`, such as
        `Slices(widths=(256,))`, which a grid can set as `architecture__widths`, or a
        name, which stands for the object with its defaults: `"slices"`, `"dense"`,
        `"convolutional"`, `"courty2018"`, `"fourier"`, `"deep_sets"`,
        `"set_transformer"`, `"transport_maps"`, `"deep_kenn"` or `"ode_kenn"`. `"auto"`
        chooses what is by far the most accurate: `"slices"` in up to three dimensions,
        for W2 with the Euclidean metric, unless a given distance is below that of the
        means; `"transport_maps"` in more dimensions, for W of any order; elsewhere
        `{otherwise}`. `architecture_` says what it became.
    decoder : str, Decoder or None, default={decoder}
        What makes measures of embeddings again, for `inverse_transform`, trained at the
        same time: `HistogramDecoder()`, `CloudDecoder()` or `Courty2018Decoder()` of
        :mod:`skwass.architectures`, or `"histogram"`, `"cloud"`, `"courty2018"`.
        `"auto"` is the one that fits measures and architecture. With None, training is
        faster.
    exact_mean : bool or "auto", default="auto"
        Whether d columns of an embedding, the last but for a private axis, are the mean
        of the measure, less that of all in `fit`, and the rest knows only its centred
        copy. For W2, W^2 is
        the sum of both parts, so translates are at their true distance wherever they
        are, and decoders move what they decode. `"auto"`: where the architecture sees
        points, for W2 with the Euclidean metric in at most `n_components / 2`
        dimensions, unless given distances are below those of the means. In more
        dimensions `n_components=2 * d` makes it exact, which often helps.
    private_axis : bool or "auto", default="auto"
        Whether embeddings have one more column, the last: the length sqrt(s) of an axis
        that each measure has to itself, for what is particular to it, such as the noise
        of its sample. Squared distances of different measures are then
        `|z - z'|^2 + s + s'`, see `embedded_distances`. Without it, small distances
        come out too small. `"auto"`: yes, except where the distances of feature maps
        add up (`aggregation="l1"`). False is the model of the paper.
    grid_shape : tuple of int, default=None
        For histograms: the grid that the bins form, e.g. (28, 28); W is then in pixels.
        If None and `support` too, bins are at 0, 1, 2, ... on a line.
    support : array-like of shape (n_features, d), default=None
        For histograms: positions of bins that form no grid, such as vectors of words.
    ground_truth : {{"exact", "sinkhorn", "gromov"}} or object, default="exact"
        What labels pairs: a distance of :mod:`skwass.ot`, by name or as an object such
        as `SinkhornDivergence(reg=0.01)`, to be set in a grid as `ground_truth__reg`;
        or any object whose `solve(mu, nu)`, given two tuples of points and masses,
        returns `(w, converged)`. For a Gromov distance, architectures that see points
        see only distances within clouds, so that moving, turning and mirroring change
        nothing, and `architecture="auto"` is `"fourier"`.
    labels : str or object, default="auto"
        Which pairs are labelled, and when: an object of :mod:`skwass.labels` or its
        name. `Pairs()`: `n_pairs` of all, drawn at random. `Blocks()`: as many, all
        those within groups of measures. `InBatch()`: labelled anew at each step,
        `n_pairs` per epoch. `Doubling()`: `n_pairs`, then as many again, as long as the
        validation error falls enough. `"auto"`: blocks where there are learned layers
        on points, else pairs.
    n_pairs : int or "auto", default="auto"
        Pairs drawn and labelled for training, at most all there are; `"auto"` is
        {most_pairs:,}, and with `max_time` as many as there is time for. The error
        falls with their number, and the bill of exact solves rises: of 28 x 28 images,
        about 600 per second and core. A tenth more (2,000 at most) is labelled for
        validation.
    n_maps : int, default=0
        Largest number of training measures whose optimal transport maps from one
        reference are solved, and learned before the pairs, as by
        :class:`skwass.LinearOTEmbedder`: one solve per measure teaches its distance to
        all others; up to 300 more make the reference. `max_iter` epochs over them come
        first; not in `partial_fit`. For W2 with the Euclidean metric. 0 learns only
        from pairs; otherwise at least 2.
    gradient_weight : float or "auto", default="auto"
        Weight of the derivatives of W^2, which come with the distance out of one exact
        solve: toward 64 other measures, for both ends of a pair. It falls to 0 over the
        pairs' epochs. A step takes three to six times as long, but half as many solves,
        or fewer, suffice for the same error. `"auto"` is 0.3. Without effect (as 0)
        with given distances, in `partial_fit`, with any but an exact W2, and where the
        architecture has none: learned layers on points, the adjoint equation, slices
        without an exact mean.
    max_iter : int or "auto", default="auto"
        Epochs: passes over the pairs. The learning rate ends at zero after the last.
        `"auto"`: as many as make {least_steps:,} steps, at least {least_epochs}; with
        `n_maps` as many again on maps, with `Doubling()` in each round. For a first
        look at few labels, 20 take a tenth of the time.
    max_time : float, default=None
        Seconds that `fit` may take, labels included. With `n_pairs="auto"`, `fit` first
        measures the solver, on a few pairs, and steps of training; it decides whether
        derivatives are worth their time, if `gradient_weight` is `"auto"`, and labels
        pairs for as long as there will be time to train on them: see `budget_`. With
        another `n_pairs`, with `n_maps`, and where labels come in rounds or in the
        batch, labelling stops at half of the time. In any case the schedule of training
        is compressed to end in time. The plans of `"transport_maps"`, one per measure,
        are not cut short. The one setting that gives up reproducibility.
    batch_size : int or "auto", default="auto"
        Pairs per step; `"auto"` is a 400th of the training pairs, at least 128 and at
        most 1024. `InBatch()` has steps of its own.
    learning_rate : float, default=1e-3
        Peak of the one-cycle schedule of AdamW.
    weight_decay : float, default=0.01
        Of AdamW.
    max_grad_norm : float, default=1.0
        Gradients are clipped to this norm.
    early_stopping : bool, default=True
        Whether to hold out measures, to keep the weights that did best on them and to
        stop when `n_iter_no_change` epochs brought nothing better. With fewer than two
        measures to hold out, or given pairs that leave none, training goes on without
        early stopping.
    validation_fraction : float, default=0.1
        Share of the measures to hold out, in (0, 1). Pairs given by the user that join
        both sides are not used: some 5 % where there are few pairs per measure, since
        held-out measures are chosen so; 18 % of all pairs of a collection.
    n_iter_no_change : int or "auto", default="auto"
        Epochs to wait for a better validation score, in the second half of the
        schedule; `"auto"` is a quarter of all, at least 10.
    tol : float, default=0.0
        By how much a validation score must be better.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last fit, with the network and the
        decoder that there were then, and warns if parameters of these have changed; the
        decoder's weight in the loss may.
    n_score_pairs : int, default=1_000
        Pairs that `score` labels.
    memory : str or object with the joblib.Memory interface, default=None
        Keeps labels and maps, if `random_state` is an integer. A search computes those
        of a fold once, unless candidates of one fold run at the same time, for all
        architectures with the same `labels` and the same derivatives: with
        `labels="pairs", gradient_weight=0`, for all. Not those of `InBatch()`. With
        `max_time`, labels are read from it but not added, and with `n_pairs="auto"` the
        pairs differ from fit to fit.
    device : str, default="cpu"
        `"cpu"`, `"cuda"`, `"cuda:<number>"`, or `"auto"` for CUDA where there is any. A
        model fitted on a GPU opens on a CPU.
    n_jobs : int, default=None
        Threads that label pairs, and with `"transport_maps"` solve plans, in
        `transform` too. Training uses the threads of torch.
    verbose : int, default=0
        Whether to print one line per epoch. For a progress bar, see `set_callbacks`.
    random_state : int, RandomState instance or None, default=None
        Pairs, validation measures, frequencies, initial weights and batches. With an
        integer, the same CPU gives the same bytes. Global generators are never touched.
"""
ATTRIBUTES = """
    architecture_ : Architecture
        The architecture that was trained, with nothing left to choose.
    decoder_ : Decoder or None
        The decoder, likewise.
    module_ : torch.nn.Module
        The trained network, in float32.
    loss_curve_ : list of float
        Mean training loss of each epoch.
    validation_scores_ : list of float
        R2 of W on held-out measures after each epoch, NaN for epochs of a continued fit
        without validation; empty if there was never any.
    n_iter_ : int
        Epochs trained.
    n_pairs_ : int
        Labelled pairs, those for validation included.
    n_solves_ : int
        Labels and maps that were solved, not given or from `memory`.
    budget_ : dict or None
        What `max_time` was planned with, and for: `pairs_per_second` that one worker
        solves, `steps_per_second` of training, `n_pairs` for training, `n_epochs`
        meant, and `with_derivatives`. None where nothing was planned. Not kept in
        files.
    n_parameters_ : int
        How many numbers the network learns, a decoder not counted.
    stopped_by_ : str
        `"max_iter"`, `"max_time"`, `"early_stopping"` or `"callback"`; or `"formula"`,
        where measures were too few to hold any out, so that nothing was learned but
        the numbers of the formula that `"transport_maps"` starts with.
    block_weights_ : ndarray of shape (n_blocks,)
        Of a Kuratowski network, like the next two: the learned lambda_k, positive;
        times follow in order, then those of velocities.
    block_sizes_ : tuple of int
        Dimensions of the feature maps, in the order in which rows of `transform` hold
        them; an exact mean and a private axis come after them.
    times_ : ndarray of shape (n_nodes,) or None
        Nodes of a curve, None for layers.
    n_features_in_ : int
        Number of bins of histograms; dimension of the points of clouds.
    support_ : ndarray of shape (`n_features_in_`, d) or None
        Positions of the bins of histograms.
    grid_shape_ : tuple of int or None
        The grid that they form, if any. `score` labels by what was fitted, whatever the
        parameters are by then.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the bins, if `X` has any.
"""
