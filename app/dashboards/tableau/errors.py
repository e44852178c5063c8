"""What can go wrong where extracts are made; apart from their module, which needs Hyper's API."""


class ExtractError(Exception):
    """An answer cannot be stored as an extract."""
