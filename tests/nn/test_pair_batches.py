"""Batches of pairs: each pair once, with its label, few measures a batch."""

import math

import pytest
import torch

from skwass.nn.pairs import FreshPairs, PairBatches

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_pairs(n_measures, n_pairs, seed=0):
    """Distinct pairs i < j of a sparse graph, numbered 3, 6, 9, ... for gaps."""
    i, j = torch.triu_indices(n_measures, n_measures, offset=1)
    chosen = torch.randperm(len(i), generator=seeded(seed))[:n_pairs]
    return 3 * (1 + torch.stack([i[chosen], j[chosen]], dim=1))


def make(n_measures=60, n_pairs=200, batch_size=32, device=CPU):
    """Batches whose label says which pair it belongs to, and slopes which measures."""
    pairs = random_pairs(n_measures, n_pairs)
    labels, slopes = torch.arange(n_pairs).float(), pairs[:, :, None].float()
    return PairBatches(pairs, labels, batch_size, device, slopes=slopes), pairs


@pytest.mark.parametrize("n_pairs", [1, 31, 32, 200])
@pytest.mark.parametrize("batch_size", [1, 32, 1000])
def test_an_epoch_has_each_pair_once_with_its_label(n_pairs, batch_size):
    batches, pairs = make(n_pairs=n_pairs, batch_size=batch_size)
    epoch = list(batches.epoch(seeded()))
    assert len(epoch) == len(batches) == math.ceil(n_pairs / batch_size)
    assert all(len(batch.w) == batch_size for batch in epoch[:-1])
    labels = torch.cat([batch.w for batch in epoch])
    assert torch.equal(labels.sort().values, torch.arange(n_pairs).float())
    for batch in epoch:
        ends = torch.stack([batch.measures[batch.left], batch.measures[batch.right]])
        assert torch.equal(ends.T.sort(dim=1).values, pairs[batch.w.long()])
        assert torch.equal(batch.slopes[:, :, 0], ends.T.float())


def test_measures_of_a_batch_are_distinct_and_all_used():
    batches, _ = make()
    for batch in batches.epoch(seeded()):
        assert len(batch.measures.unique()) == len(batch.measures)
        used = torch.cat([batch.left, batch.right]).unique()
        assert torch.equal(used, torch.arange(len(batch.measures)))


def left_ends(epoch):
    return torch.cat([batch.measures[batch.left] for batch in epoch])


def test_half_of_the_pairs_change_sides():
    batches, pairs = make()
    epoch = list(batches.epoch(seeded()))
    given = pairs[torch.cat([batch.w for batch in epoch]).long(), 0]
    assert 0.35 < (left_ends(epoch) == given).float().mean() < 0.65


def test_batch_mates_share_measures():
    # The ratio of pairs to measures of the docstring: 1.3 encodings a pair, not 2.
    n_pairs, batch_size = 4000, 40
    batches, pairs = make(1200, n_pairs, batch_size)
    n_encoded = sum(len(batch.measures) for batch in batches.epoch(seeded()))
    shuffled = pairs[torch.randperm(n_pairs, generator=seeded())].split(batch_size)
    n_at_random = sum(len(part.unique()) for part in shuffled)
    assert n_encoded < 1.35 * n_pairs
    assert n_encoded < 0.75 * n_at_random


@pytest.mark.parametrize(
    ("n_measures", "n_pairs", "batch_size"), [(300, 4000, 40), (60, 200, 32)]
)
def test_about_one_reconstruction_a_measure_an_epoch(n_measures, n_pairs, batch_size):
    batches, _ = make(n_measures, n_pairs, batch_size)
    epoch = list(batches.epoch(seeded()))
    for batch in epoch:
        assert len(batch.decoded.unique()) == len(batch.decoded)
        assert 0 <= batch.decoded.min() <= batch.decoded.max() < len(batch.measures)
    n_decoded = sum(len(batch.decoded) for batch in epoch)
    # Rounded up in each batch.
    assert n_measures <= n_decoded <= n_measures + batch_size + len(epoch)


def test_reconstructed_measures_are_drawn_without_preference():
    batches, pairs = make()
    generator, counts = seeded(), torch.zeros(181)
    for _ in range(50):
        for batch in batches.epoch(generator):
            counts[batch.measures[batch.decoded]] += 1
    counts = counts[pairs.unique()]
    assert counts.min() > 0
    # Measures with many pairs are in more batches; the number of a measure has no say.
    lower, upper = counts[:30].sum(), counts[30:].sum()
    assert 0.8 < lower / upper < 1.25


def test_one_large_batch_reconstructs_each_measure_once():
    batches, pairs = make(batch_size=1000)
    (batch,) = batches.epoch(seeded())
    decoded = batch.measures[batch.decoded].sort().values
    assert torch.equal(decoded, pairs.unique())


def test_the_generator_decides():
    batches, _ = make()
    generator = seeded()
    first, second = list(batches.epoch(generator)), list(batches.epoch(generator))
    for batch, again in zip(first, batches.epoch(seeded()), strict=True):
        assert all(map(torch.equal, batch[:5], again[:5]))
    labels_first = torch.cat([batch.w for batch in first])
    labels_second = torch.cat([batch.w for batch in second])
    assert (labels_first != labels_second).float().mean() > 0.5
    # So is the order of the measures: the ten to begin with are mostly others.
    begin_first, begin_second = (
        set(left_ends(epoch).unique_consecutive()[:10].tolist())
        for epoch in (first, second)
    )
    assert len(begin_first & begin_second) < 5


def test_batches_are_put_on_the_device():
    batches, _ = make(device=torch.device("meta"))
    batch = next(batches.epoch(seeded()))
    assert {part.device.type for part in batch[:5]} == {"meta"}


@pytest.mark.parametrize(("block", "batch_size"), [(5, 32), (5, 4), (12, 32)])
def test_blocks_stay_whole(block, batch_size):
    """A batch encodes each block of measures once, and no part of another."""
    n_blocks = 17
    pairs = torch.cat(
        [torch.combinations(torch.arange(block) + block * k) for k in range(n_blocks)]
    )
    groups = torch.arange(n_blocks).repeat_interleave(len(pairs) // n_blocks)
    shuffled = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0))
    batches = PairBatches(
        pairs[shuffled],
        shuffled.float(),
        batch_size,
        torch.device("cpu"),
        groups[shuffled],
    )
    seen = []
    epoch = list(batches.epoch(torch.Generator().manual_seed(1)))
    assert len(epoch) == len(batches)
    for batch in epoch:
        per_block = torch.bincount(batch.measures // block)
        assert set(per_block.tolist()) <= {0, block}
        assert len(batch.w) == (per_block > 0).sum() * len(pairs) // n_blocks
        seen.append(batch.w)
    assert torch.equal(torch.cat(seen).sort().values, torch.arange(len(pairs)).float())
    again = next(batches.epoch(torch.Generator().manual_seed(2)))
    assert not torch.equal(again.measures, epoch[0].measures)


def test_fresh_pairs_are_all_pairs_of_new_measures():
    asked = []

    def label(numbers, pairs):
        asked.append(numbers)
        return (10 * numbers[pairs[:, 0]] + numbers[pairs[:, 1]]).float(), None

    members = torch.tensor([2, 3, 5, 7, 11, 13])
    batches = FreshPairs(members, label, 4, 3, torch.device("cpu"))
    epoch = list(batches.epoch(torch.Generator().manual_seed(0)))
    assert len(epoch) == len(batches) == 3
    for batch, numbers in zip(epoch, asked, strict=True):
        assert torch.equal(batch.measures, numbers)
        assert set(numbers.tolist()) <= set(members.tolist())
        assert len(set(numbers.tolist())) == 4
        ends = torch.stack([batch.left, batch.right], dim=1)
        assert len(torch.unique(ends, dim=0)) == 6
        assert (batch.left != batch.right).all()
        expected = 10 * numbers[batch.left] + numbers[batch.right]
        assert torch.equal(batch.w, expected.float())
        assert len(batch.decoded) == 2
    assert not torch.equal(asked[0], asked[1])
    few = FreshPairs(members[:3], label, 8, 1, torch.device("cpu"))
    assert len(next(few.epoch(torch.Generator())).w) == 3


@pytest.mark.parametrize("n_parts", [2, 3, 5])
def test_parts_are_the_whole(n_parts):
    """The mean over parts of what they weigh by their shares is that of the batch."""
    batches, _ = make()
    values = torch.randn(1_000, generator=seeded(), dtype=torch.float64)
    for batch in batches.epoch(seeded()):
        parts = [batch.part(k, n_parts) for k in range(n_parts)]
        for share, what in enumerate((_of_pairs, _of_decoded)):
            weighed = [part.shares[share] * what(part, values) for part in parts]
            torch.testing.assert_close(
                torch.stack(weighed).mean(), what(batch, values), rtol=1e-12, atol=0
            )
        assert sum(len(part.w) for part in parts) == len(batch.w)
        assert all(len(part.measures) < len(batch.measures) for part in parts)
    tiny = batch._replace(left=batch.left[:1], right=batch.right[:1], w=batch.w[:1])
    assert tiny.part(1, 2) is tiny


def _of_pairs(batch, values):
    ends = (values[batch.measures[end]] for end in (batch.left, batch.right))
    return (sum(ends) * batch.w).mean()


def _of_decoded(batch, values):
    return values[batch.measures[batch.decoded]].mean()
