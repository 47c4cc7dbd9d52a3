"""The command line: `cvae_keras.cli.main` holds the top command, the other files one group each."""
