"""How good an embedding is: nearest neighbours of new points, and trustworthiness."""

from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier

TRUST_ON = 10_000  # of the first training points, as in the Parametric UMAP paper's notebooks


def embedding_scores(z_train, y_train, z_test, y_test, x_train):
    """Accuracy of 1 and 5 nearest neighbours, and trustworthiness.

    The classifier is fitted on the embedding of the training data and scored on that of the test
    data. Trustworthiness is of the first 10,000 training points with 5 neighbours:

    `T = 1 - 2 / (n k (2n - 3k - 1)) * sum_i sum_(j in N_i) max(0, r(i, j) - k)`

    where N_i are the k nearest of i in the embedding, and r(i, j) the rank of j by distance in x.

    Args:
        z_train, z_test: `(examples, dimensions)`; y_train, y_test: classes; x_train: the data.

    Returns:
        Dictionary of "1-NN", "5-NN" and "trust", each in [0, 1].

    Source: Venna and Kaski, "Neighborhood preservation in nonlinear projection methods", 2001;
    protocol: Sainburg et al., "Parametric UMAP embeddings", 2021.

    Example:
        >>> embedding_scores(z, y, z_test, y_test, x)["5-NN"]
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
