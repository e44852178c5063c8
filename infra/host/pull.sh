#!/bin/bash
# Pulls an image of the project as the machine's own account, prints its id, and drops images of it that nothing runs.
set -euo pipefail

own=$(dirname "$0")
export HOME="$own" DOCKER_CONFIG="$own/docker"
docker image prune --all --force --filter "label=shop.image=batch" > /dev/null
docker pull --quiet "$1" > /dev/null
docker image inspect --format '{{.Id}}' "$1"
