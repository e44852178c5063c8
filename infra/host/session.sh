#!/bin/bash
# What a login by SSH may do. Docker is root's: who may use sudo here, by the role roles/compute.osAdminLogin, reaches it
# as `docker`, which is the command that Pulumi's provider sends.
case "${SSH_ORIGINAL_COMMAND:-}" in
    "") exec "$SHELL" --login ;;
    "docker "*) exec sudo --non-interactive -- /bin/sh -c "$SSH_ORIGINAL_COMMAND" ;;
    *) exec "$SHELL" -c "$SSH_ORIGINAL_COMMAND" ;;
esac
