"""The settings of an environment: read from `Pulumi.<environment>.yaml`, checked whole before anything is declared.

Only the project and the region have no default. `python -m infra.settings` prints the table of all settings.
"""

from infra.settings.declaration import Problem, Setting, SettingsError, setting
from infra.settings.load import Settings, load

__all__ = ["Problem", "Setting", "Settings", "SettingsError", "load", "setting"]
