"""Where Pulumi keeps what it knows of a stack, made ready before `scripts/pulumi` runs its CLI."""
