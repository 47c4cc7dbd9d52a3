"""The classifier that scores generated images."""

from cvae_keras.data.multimodal import image_modalities
from cvae_keras.metrics.classifier import ImageClassifier


def test_the_classifier_recognizes_real_digits():
    train, test = image_modalities("digits")
    classifier = ImageClassifier(train["image"], train["label"], epochs=3, batch_size=32)
    assert classifier.accuracy(test["image"], test["label"]) > 0.7
    assert classifier.accuracy(test["image"], (test["label"] + 1) % 10) < 0.1
