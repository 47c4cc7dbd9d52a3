"""The multimodal conditional VAE, and the networks that it is made of."""

from cvae_keras.systems.multimodal.embedding import Embedding, Reconstruction
from cvae_keras.systems.multimodal.model import MultimodalCVAE
from cvae_keras.systems.multimodal.networks import FusedDecoder, FusedEncoder

__all__ = ["Embedding", "FusedDecoder", "FusedEncoder", "MultimodalCVAE", "Reconstruction"]
