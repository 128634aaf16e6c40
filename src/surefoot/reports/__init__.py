"""Records as something to look at: text for the terminal, one HTML page."""

from surefoot.reports.comparison import write_comparison
from surefoot.reports.grid import Grid
from surefoot.reports.page import page, write_page
from surefoot.reports.terminal import summary
from surefoot.reports.watching import Printer

__all__ = ["Grid", "Printer", "page", "summary", "write_comparison", "write_page"]
