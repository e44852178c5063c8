"""What the workflows in `.github/workflows/` run, so that no logic stands in YAML.

    environments.py  which environments CI may reach
    preview.py       previews one, writes what would change, what it costs and which rules break
    events.py        what Pulumi's engine told, read
    section.py       as Markdown
    comment.py       puts the sections of all environments into one comment of a pull request
    issue.py         keeps one issue open while an environment differs from the program
    github.py        the few calls of GitHub's API that these need

Each is a command with `--help`. They need Python and, for `preview.py`, Pulumi's program and its environment.
"""
