"""`python -m cvae_keras`, the same as the command `cvae-keras`."""

from cvae_keras.cli.main import main

if __name__ == "__main__":
    main(prog_name="cvae-keras")
