"""The plan and the learning rate of a training."""

import keras

from cvae_keras.systems.compression import training as training_module


def test_the_plan_of_a_training():
    plan = training_module.TrainingPlan.choose(54_000, 2000)
    assert (plan.batch_size, plan.valid_batch_size, plan.patience) == (512, 512, 5)
    assert (plan.steps, plan.steps_per_epoch, plan.epochs) == (3164, 105, 31)
    plan = training_module.TrainingPlan.choose(
        1000, 30, False, batch_size=50, steps=25, steps_per_epoch=100, patience=1
    )
    assert (plan.batch_size, plan.valid_batch_size, plan.patience) == (50, 50, 1)
    assert (plan.steps, plan.steps_per_epoch, plan.epochs) == (25, 25, 1)
    plan = training_module.TrainingPlan.choose(1000, 7, steps=90, steps_per_epoch=1, patience=3)
    assert (plan.valid_batch_size, plan.patience) == (14, 4)  # 256 examples per step


def test_learning_rate_follows_the_cosine_and_the_validation_loss():
    class Stub:
        optimizer = keras.optimizers.Adam()
        stop_training = False

    rate = training_module.LearningRate(epochs=100, high=1.0, low=0.1, patience=2, factor=10)
    rate._model = model = Stub()
    rate.on_train_begin()
    seen = []
    for epoch, loss in enumerate([5, 4, 4, 4, 4, 4, 4]):
        rate.on_epoch_begin(epoch)
        seen.append(rate.rate)
        rate.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    assert seen[0] == 1.0 and 0.99 < seen[3] < 1.0  # the cosine alone
    assert seen[4] == 0.1  # two looks without improvement
    assert model.stop_training and rate.converged and len(seen) == 6
