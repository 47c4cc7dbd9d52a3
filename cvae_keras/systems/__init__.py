"""The systems: each a short file that fills the slots of the one ELBO."""
