"""The names of the classes of a modality: text, or numbers that do not count from 0."""

from numbers import Real

import numpy as np

from cvae_keras.checks import shown


class Classes:
    """The labels of the K classes of a modality, in order.

    Args:
        name: of the modality, for the messages.
        labels: list of K different texts or finite numbers.
        size: K, the length of the modality's last axis.

    Raises:
        ValueError: another number of labels, labels that occur twice, or other objects.

    Example:
        >>> from cvae_keras.systems.multimodal.classes import Classes
        >>> Classes("pet", ["cat", "dog"], 2).one_hot(["dog", None]).tolist()
        [[0.0, 1.0], [nan, nan]]
    """

    def __init__(self, name, labels, size):
        labels = labels.tolist() if hasattr(labels, "tolist") else labels
        if not isinstance(labels, (list, tuple, range)) or len(labels) != size or size < 2:
            raise ValueError(
                f"classes[{name!r}] must list the labels of the {size} classes of its last axis, "
                f"at least 2, got {shown(labels)}: give one a class."
            )
        labels = [label.item() if isinstance(label, np.generic) else label for label in labels]
        for label in labels:
            number = isinstance(label, Real) and np.isfinite(label)
            if not number and not isinstance(label, str):
                raise ValueError(
                    f"classes[{name!r}] must hold texts or finite numbers, got {shown(label)}: "
                    f"name each class by one."
                )
        if len(set(labels)) < len(labels):
            raise ValueError(
                f"classes[{name!r}] must be different labels, got {shown(labels)}: drop one."
            )
        self.name, self.labels = name, labels

    def one_hot(self, values):
        """The labels as float32 one-hot vectors, on a new last axis; NaN where one is missing.

        Args:
            values: array or list of labels; None, NaN and `pd.NA` are missing.

        Raises:
            ValueError: a label that is not among the classes.
        """
        numbers = {label: number for number, label in enumerate(self.labels)}
        values = np.asarray(values, dtype=object)
        found = [self._number(label, numbers) for label in values.reshape(-1)]
        size = len(self.labels)
        vectors = np.concatenate([np.eye(size), np.full((1, size), np.nan)]).astype("float32")
        return vectors[found].reshape(*values.shape, size)

    def _number(self, label, numbers):
        """The number of the class of a label, -1 if it is missing."""
        if label is None or type(label).__name__ == "NAType":
            return -1
        label = label.item() if isinstance(label, np.generic) else label
        known = isinstance(label, (str, Real))
        if known and label in numbers:
            return numbers[label]
        if known and label != label:
            return -1
        raise ValueError(
            f"{self.name} holds {shown(label)}, which is not among its classes "
            f"{shown(self.labels)}: correct it, or name it there."
        )
