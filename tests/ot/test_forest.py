"""Masses on the arcs of a plan, in whole numbers."""

from fractions import Fraction

import numpy as np
import pytest

from skwass.ot._forest import Forest, whole_numbers


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def staircase(n, m):
    """Return the arcs of a plan that fills both in order: a path through all nodes."""
    i, j = [0], [0]
    while (i[-1], j[-1]) != (n - 1, m - 1):
        to_source = i[-1] < n - 1 and (len(i) % 2 or j[-1] == m - 1)
        i.append(i[-1] + bool(to_source))
        j.append(j[-1] + (not to_source))
    return np.array(i), np.array(j), np.ones(len(i))


def test_whole_numbers_are_the_floats(rng):
    a, b = 10 ** rng.uniform(-12, 0, (2, 20))
    whole_a, whole_b, one = whole_numbers(a, b)
    for floats, whole in ((a, whole_a), (b, whole_b)):
        assert [Fraction(mass, one) for mass in whole] == [Fraction(x) for x in floats]


def test_masses_follow_from_those_of_the_leaves():
    """A far atom of mass 2^-60 keeps all its digits beside one of mass 1."""
    a, b = np.array([1.0, 2.0**-60]), np.array([1.0, 2.0**-61, 2.0**-61])
    arcs = np.array([0, 1, 1]), np.array([0, 1, 2]), np.array([1.0, 0.0, 0.0])
    forest = Forest(a, b, arcs)
    assert forest.arcs[2].tolist() == [1.0, 2.0**-61, 2.0**-61]
    assert forest.n_parts == 2
    assert forest.doubt(np.ones((2, 3)), np.zeros(2), np.zeros(3)) == 0


def test_a_tree_carries_all_mass_or_says_how_much_it_does_not(rng):
    masses = rng.integers(1, 1000, (2, 6)).astype(float)
    masses[1, -1] += masses[0].sum() - masses[1].sum()
    a, b = masses / 2.0**12
    forest = Forest(a, b, staircase(6, 6))
    i, j, mass = forest.arcs
    sent, got = np.bincount(i, mass, 6), np.bincount(j, mass, 6)
    assert abs(sent - a).sum() + abs(got - b).sum() <= 2 * forest.backward
    assert not forest.stray.any()
    assert (forest.backward > 0) == (len(mass) < 11)


def test_doubt_is_what_moving_the_rest_would_cost():
    """Two parts whose masses differ by 2^-50, which would cross at a cost of 7."""
    bit = 2.0**-50
    a, b = np.array([0.5 + bit, 0.5 - bit]), np.array([0.5, 0.5])
    forest = Forest(a, b, (np.array([0, 1]), np.array([0, 1]), a))
    C = np.array([[0.0, 7.0], [9.0, 0.0]])
    assert forest.stray.tolist() == [bit, bit]
    assert forest.doubt(C, np.zeros(2), np.zeros(2)) == 14 * bit
