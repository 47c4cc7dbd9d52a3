"""Which images a notebook gets."""

import pytest

from cvae_keras import notebook


@pytest.mark.parametrize(
    "error", [ValueError("mnist.npz is absent"), Exception("URL fetch failure")]
)
def test_digits_with_a_notice_where_mnist_cannot_be_loaded(monkeypatch, capsys, error):
    def fail(name):
        raise error

    monkeypatch.setattr(notebook, "load_images", fail)
    assert notebook.image_set() == "digits"
    assert "scikit-learn's digits instead" in capsys.readouterr().out
    monkeypatch.setattr(notebook, "load_images", lambda name: None)
    assert notebook.image_set() == "mnist"
    assert notebook.image_set(quick=True) == "digits" and not capsys.readouterr().out
