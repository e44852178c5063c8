"""Rules for Docker containers, here and on the batch host."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from infra.policy.rule import UNKNOWN, Inputs, Rule, must_have, must_not_have, texts, values

_CONTAINER: Final = ("docker:index/container:Container",)
_ANY: Final = "0.0.0.0"  # noqa: S104 - what Docker takes where no address is given
_PINNED: Final = re.compile(r"(?:.+@)?sha256:[0-9a-f]{64}")
_SOCKET: Final = re.compile(r".*/docker\.sock")


def _is_inside(inputs: Inputs) -> Iterator[str]:
    for port in values(inputs, "ports[]"):
        for address in list(values(port, "ip")) or [_ANY]:
            if address is not UNKNOWN and not _is_private(str(address)):
                yield f"opens a port on {address}"


def _is_private(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return parsed.is_private and not parsed.is_unspecified


def _is_pinned(inputs: Inputs) -> Iterator[str]:
    return (f"runs the image {image}" for image in texts(inputs, "image") if not _PINNED.fullmatch(image))


def _is_limited(inputs: Inputs) -> Iterator[str]:
    yield from must_have("memory")(inputs)
    # Without it a refresh finds another value than the one that was given.
    yield from must_have("memorySwap")(inputs)


def _is_watched(inputs: Inputs) -> Iterator[str]:
    # A job that ends is judged by its exit code.
    if False in values(inputs, "mustRun"):
        return
    yield from must_have("healthcheck")(inputs)
    # False is said where a resource of its own waits.
    if inputs.get("wait") is None:
        yield "does not set wait"


def _has_no_socket(inputs: Inputs) -> Iterator[str]:
    for path in ("volumes[].hostPath", "mounts[].source"):
        yield from (f"mounts {text}" for text in texts(inputs, path) if _SOCKET.fullmatch(text))


RULES: Final = (
    Rule(
        "container-inside",
        "A container's ports are open on a private address of its machine, not on all that it has.",
        _CONTAINER,
        _is_inside,
        'Set ip="127.0.0.1" on each port, or the machine\'s address in the network where others there need it.',
        ("CIS Docker 5.14",),
    ),
    Rule(
        "container-image-pinned",
        "A container runs an image by its digest, not by a tag that can change.",
        _CONTAINER,
        _is_pinned,
        "Give the digest or the id of the image.",
    ),
    Rule(
        "container-not-privileged",
        "No container rules its host.",
        _CONTAINER,
        must_not_have("privileged", True),
        "Leave privileged out, and add the one capability that is needed.",
        ("CIS Docker 5.5",),
    ),
    Rule(
        "container-not-on-host-network",
        "No container shares its host's network.",
        _CONTAINER,
        must_not_have("networkMode", "host"),
        "Use a network of their own.",
        ("CIS Docker 5.10",),
    ),
    Rule(
        "container-memory-limited",
        "No container can take all memory of its host.",
        _CONTAINER,
        _is_limited,
        "Set memory and memory_swap.",
        ("CIS Docker 5.11",),
    ),
    Rule(
        "container-watched",
        "A container counts as started only when it is well.",
        _CONTAINER,
        _is_watched,
        "Set healthcheck and wait=True, or wait=False where a resource of its own waits for it.",
        ("CIS Docker 5.27",),
    ),
    Rule(
        "container-no-docker-socket",
        "No container can start others.",
        _CONTAINER,
        _has_no_socket,
        "Run what needs Docker beside the container.",
        ("CIS Docker 5.32",),
    ),
)
