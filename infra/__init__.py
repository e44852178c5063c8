"""What exists in the cloud: one Pulumi program, of which `__main__.py` is the page to read first."""
