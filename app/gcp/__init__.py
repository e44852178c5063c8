"""Google Cloud's clients, made in one place for the real cloud and for the emulators."""
