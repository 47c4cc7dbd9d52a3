"""The words under the sinusoid test-case tables."""

NOTES = """
`reduction`: *original* sums the KL over the whole batch, averages the distances over batch, points
and channels (l1_sum sums them too), and detaches the y term; *elbo* sums over event and latent
dimensions, averages over the batch, and lets the y term train the decoder. kl, x_loss and y_loss
are averages over the training batches of the last epoch, each in its row's own reduction; so is
validation_loss, the weighted sum on 3,000 validation examples. kl_nats is the KL of one example and
active_units the number of latent dimensions above 0.01 nats, in the same unit for every row.

residual (mean |f(x_hat) - y|), precision, recall and total_variation are of 100 samples from the
prior for each of the 50 scoring curves: precision is the share of samples within 0.02 RMS of an
exact solution, recall the share of solutions of posterior weight above 0.02 that are hit, and
total_variation the distance between sampled and exact weights of the solutions.

published_*: figures published with the original project, not measured here.
"""
