"""
A map of patients
=================

Of each patient some hundred cells were measured, each a point in the space of a few
principal components. A patient is the cloud of these cells, and W2 says how different
two patients are: by which kinds of cells they have, how many of each, and in what state
these are. From a long table of cells to a map of patients it takes a few lines.
"""

# %%
# A cohort
# --------
# Eighty made-up patients, 40 to 300 cells each, in ten dimensions. In "mild" patients
# the cells of one kind are in two states, on either side of where they are in health;
# in "severe" ones these are farther apart. Three patients are odd: every other cell of
# theirs is of a kind that the rest hardly has.
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from skwass import LinearOTEmbedder, PseudobulkEmbedder
from skwass.measures import clouds_from_groups
from skwass.ot import pairwise_wasserstein

rng = np.random.default_rng(0)
components = [f"PC{k}" for k in range(1, 11)]
centers = 4 * rng.normal(size=(6, 10)) * np.linspace(1, 0.3, 10)
shift = 2.5 * rng.normal(size=10) * np.linspace(1, 0.3, 10)
condition = pd.Series(
    ["healthy"] * 30 + ["mild"] * 25 + ["severe"] * 25,
    index=[f"P{k:02}" for k in range(80)],
)
odd = ["P05", "P40", "P70"]
tables = []
for name, state in condition.items():
    shares = rng.dirichlet([20, 15, 12, 8, 5, 0.5 if name not in odd else 60])
    kind = rng.choice(6, size=rng.integers(40, 301), p=shares)
    cells = centers[kind] + rng.normal(size=(len(kind), 10))
    distance = {"healthy": 0.0, "mild": 0.7, "severe": 1.4}[state]
    side = rng.choice([-1, 1], size=(len(kind), 1)) * (kind == 0)[:, None]
    cells += distance * side * shift
    table = pd.DataFrame(cells, columns=components)
    tables.append(table.assign(patient=name))
cells = pd.concat(tables, ignore_index=True)
print(cells.head(3).round(1))

# %%
# From cells to patients
# ----------------------
# :func:`~skwass.measures.clouds_from_groups` keeps the table and the names; with
# AnnData, :func:`~skwass.measures.clouds_from_anndata` does the same.
patients, names = clouds_from_groups(cells[components], cells["patient"])
embedder = LinearOTEmbedder(32, random_state=0).fit(patients)
Z = pd.DataFrame(
    embedder.transform(patients),
    index=names,
    columns=embedder.get_feature_names_out(),
)
W = pairwise_wasserstein(patients)
D = embedder.embedded_distances(Z)
upper = np.triu_indices(len(W), 1)
r2 = 1 - np.mean((D[upper] - W[upper]) ** 2) / np.var(W[upper])
print(f"R2 of W between patients: {r2:.3f}")

# %%
# What is it good for?
# --------------------
# Nearest neighbours tell the condition. Means of all cells cannot: the two states of a
# kind average to what it is in health.
state = condition[names].to_numpy()
knn = KNeighborsClassifier(5)
means = PseudobulkEmbedder().fit_transform(patients)
for name, rows in (("means", means), ("W2", Z.to_numpy())):
    accuracy = cross_val_score(knn, rows, state, cv=5).mean()
    print(f"{name:6} accuracy of the condition {accuracy:.2f}")

# %%
# The most typical patient of a condition is nearest to all others of it. The least
# typical ones are worth a look: here they are the three odd ones.
unlike = pd.Series(
    [D[i, (state == state[i]) & (names != names[i])].mean() for i in range(len(D))],
    index=names,
)
typical = unlike.groupby(state).idxmin()
least_typical = unlike.nlargest(3).index
print("most typical: ", dict(typical))
print("least typical:", sorted(least_typical), " odd by design:", odd)

# %%
# The map is a PCA of the rows, without the last column, what each patient has alone.
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
place = pd.DataFrame(PCA(2).fit_transform(Z.iloc[:, :-1]), index=names)
for color, name in zip(("C2", "C1", "C3"), ("healthy", "mild", "severe"), strict=True):
    own = place[state == name]
    left.scatter(own[0], own[1], s=22, color=color, label=name)
    middle = place.loc[typical[name]]
    left.scatter(*middle, s=150, facecolors="none", edgecolors=color, linewidths=2)
for name in least_typical:
    left.annotate(name, place.loc[name], xytext=(6, 4), textcoords="offset points")
left.set(title="patients (rings: most typical)", xlabel="axis 1", ylabel="axis 2")
left.legend()
right.plot(W[upper], D[upper], ".", ms=2)
limits = [0, 1.05 * W.max()]
right.plot(limits, limits, "k", lw=0.8)
right.set(title=f"R2 {r2:.3f}", xlabel="exact W2", ylabel="embedding")
right.set(xlim=limits, ylim=limits)
plt.show()
