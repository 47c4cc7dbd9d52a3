"""How good an embedding is: nearest neighbors of new points, and trustworthiness."""

from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

TRUST_ON = 10_000  # first training points, as in the Parametric UMAP paper's notebooks


def embedding_scores(z_train, y_train, z_test, y_test, x_train):
    """Accuracy of the 1- and 5-nearest-neighbor classifiers, and trustworthiness.

    A classifier is fitted on the embedding of the training data and scored on that of the test
    data. Trustworthiness is that of the first 10,000 training points with 5 neighbors:

    `T = 1 - 2 / (n k (2n - 3k - 1)) * sum_i sum_(j in N_i) max(0, r(i, j) - k)`

    where N_i are the k nearest neighbors of i in the embedding, and r(i, j) is the rank of j by
    its distance to i in x.

    Args:
        z_train: embedding of the training data, `(examples, dimensions)`.
        y_train: classes, `(examples,)`.
        z_test: embedding of the test data, `(test examples, dimensions)`.
        y_test: classes, `(test examples,)`.
        x_train: the training data, `(examples, features)`.

    Returns:
        Dictionary of "1-NN", "5-NN" and "trust", each in [0, 1].

    Source: Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", 2001;
    protocol: Sainburg et al., "Parametric UMAP embeddings", 2021.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(100, 2))
        >>> scores = embedding_scores(x, x[:, 0] > 0, x, x[:, 0] > 0, x)
        >>> scores["1-NN"], scores["trust"]
        (1.0, 1.0)
    """
    algorithm = "auto" if z_train.shape[1] <= 5 else "brute"
    scores = {}
    for k in (1, 5):
        classifier = KNeighborsClassifier(k, algorithm=algorithm).fit(z_train, y_train)
        scores[f"{k}-NN"] = float(classifier.score(z_test, y_test))
    some = slice(0, TRUST_ON)
    x = x_train[some].astype("float32")
    scores["trust"] = float(trustworthiness(x, z_train[some], n_neighbors=5))
    return scores
