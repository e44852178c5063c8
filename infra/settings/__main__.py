"""Prints the table of all settings, or puts it into a README between its marks:

python -m infra.settings
python -m infra.settings README.md
"""

import sys
from pathlib import Path

from infra.settings.table import into_readme, markdown

if len(sys.argv) > 1:
    path = Path(sys.argv[1])
    path.write_text(into_readme(path.read_text()))
else:
    sys.stdout.write(markdown() + "\n")
