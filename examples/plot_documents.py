"""
Documents: the word mover's distance
====================================

Two texts may be about the same and share no word. If words are vectors, a document is
a measure: its words, with their counts as masses. W1 is then the word mover's distance:
how far the words of one text have to travel to become those of the other. Here counts
stay sparse, and rows of an embedding stand for texts.
"""

# %%
# Made-up texts
# -------------
# Six themes with 200 words each, near each other as vectors. A text takes a few words
# of one theme, and some from anywhere: most pairs on one theme share no word at all.
# ``CountVectorizer`` makes such a matrix from real texts.
import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import normalize

from skwass import LinearOTEmbedder, WormholeEmbedder
from skwass.ot import ExactWasserstein, pairwise_wasserstein, sample_pairs

rng = np.random.default_rng(0)
n_themes, n_words, n_texts, dim = 6, 200, 600, 30
centers = rng.normal(size=(n_themes, dim))
vectors = np.repeat(centers, n_words, axis=0)
vectors += 0.9 * rng.normal(size=vectors.shape)
theme = rng.integers(n_themes, size=n_texts)
rows, columns = [], []
for text, own in enumerate(theme):
    words = own * n_words + rng.choice(n_words, size=rng.integers(5, 9))
    others = rng.integers(n_themes * n_words, size=rng.integers(4, 9))
    words = np.concatenate([words, others])
    rows.append(np.full(len(words), text))
    columns.append(words)
rows, columns = np.concatenate(rows), np.concatenate(columns)
counts = csr_array((np.ones(len(rows)), (rows, columns)), (n_texts, len(vectors)))
print(f"{counts.shape[0]} texts, {counts.shape[1]} words, {counts.nnz} counts")

# %%
# Embeddings
# ----------
# Linear optimal transport embeds W2. A network learns any distance: here W1, from 5,000
# pairs, beginning with the same maps. Both see only the words that a text has.
known, unseen = counts[:400], counts[400:]
mover = ExactWasserstein(p=1)
embedders = {
    "W2, linear OT": LinearOTEmbedder(48, support=vectors, random_state=0),
    "W1, Wormhole": WormholeEmbedder(
        n_components=48,
        ground_truth=mover,
        support=vectors,
        n_pairs=5_000,
        max_iter=15,
        random_state=0,
    ),
}
for name, embedder in embedders.items():
    print(f"{name:14} R2, texts never seen: {embedder.fit(known).score(unseen):.3f}")

# %%
# Themes
# ------
# The five nearest texts tell the theme: by shared words, and by embeddings.
Z = {name: embedder.transform(counts) for name, embedder in embedders.items()}
spaces = {"shared words": normalize(counts).toarray(), **Z}
for name, space in spaces.items():
    accuracy = cross_val_score(KNeighborsClassifier(5), space, theme, cv=5).mean()
    print(f"{name:14} accuracy {accuracy:.2f}")

# %%
# A map of the texts by each, coloured by theme, and distances of unseen ones.
pairs = sample_pairs(unseen.shape[0], 1_500, random_state=0)
w = pairwise_wasserstein(unseen, pairs=pairs, ground_truth=mover, support=vectors)
learned = embedders["W1, Wormhole"]
d = learned.embedded_distances(learned.transform(unseen), pairs=pairs)

fig, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for ax, name in zip(axes, ("shared words", "W1, Wormhole"), strict=False):
    space = spaces[name] if name == "shared words" else spaces[name][:, :-1]
    x, y = PCA(2, random_state=0).fit_transform(space).T
    ax.scatter(x, y, c=theme, s=9, cmap="Set2")
    ax.set(title=name, xticks=[], yticks=[])
ax = axes[-1]
ax.plot(w, d, ".", ms=2)
limits = [0.9 * w.min(), 1.05 * w.max()]
ax.plot(limits, limits, "k", lw=0.8)
ax.set(xlim=limits, ylim=limits, xlabel="word mover's distance", ylabel="embedding")
ax.set_title("texts never seen")
plt.show()
