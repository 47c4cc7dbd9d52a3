"""Models that are compiled already: trials of one architecture share the traced training step."""

from collections import OrderedDict

KEPT = 8  # models; each holds its graph, some tens of MB


class CompiledModels:
    """The last models that were trained, by architecture.

    Tracing and compiling the training step of a deep model takes as long as hundreds of steps. A
    model of the same architecture is therefore not compiled again: the one that is kept gets all
    variables of the new one, which are its initial weights, the weights of its loss, its random
    states and those of its optimizer, so that it trains bit for bit as the new one would.

    Example:
        ```python
        models = CompiledModels()
        model = models.take(hypermodel.architecture(hp), hypermodel.build(hp))
        ```
    """

    def __init__(self):
        self.models = OrderedDict()

    def take(self, architecture, fresh):
        """A model in the state of `fresh`: one that is kept, or `fresh` itself, which then is.

        Args:
            architecture: all that the training step of the model depends on beside its variables,
                a tuple of plain values; None for a model that is not kept.
            fresh: a compiled model that was built and not trained.

        Returns:
            The model to train.
        """
        if architecture is None:
            return fresh
        kept = self.models.pop(architecture, fresh)
        if kept is not fresh:
            for model in (kept, fresh):
                model.optimizer.build(model.trainable_variables)
            pairs = zip(_state(kept), _state(fresh), strict=True)
            for variable, value in pairs:
                variable.assign(value)
            kept.seed = fresh.seed
        self.models[architecture] = kept
        while len(self.models) > KEPT:
            self.models.popitem(last=False)
        return kept


def _state(model):
    return [*model.variables, *model.optimizer.variables]
