"""Records as something to look at: text for the terminal, one HTML page."""

from surefoot.reports.page import page, write_comparison, write_page
from surefoot.reports.terminal import summary

__all__ = ["page", "summary", "write_comparison", "write_page"]
