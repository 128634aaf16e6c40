"""Problems to train on: a user's own, the built-in ones, and tables in files."""

from surefoot.tasks.builder import NamedBuilder
from surefoot.tasks.builtin import BUILTIN, builtin
from surefoot.tasks.resolve import resolve
from surefoot.tasks.task import Task

__all__ = ["BUILTIN", "NamedBuilder", "Task", "builtin", "resolve"]
