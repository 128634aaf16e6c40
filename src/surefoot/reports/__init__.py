"""Records as something to look at: text for the terminal, one HTML page, a picture."""

from surefoot.reports.ablation import ablation_text
from surefoot.reports.comparison import write_comparison
from surefoot.reports.forms import forms_table
from surefoot.reports.grid import Grid
from surefoot.reports.page import page, write_page
from surefoot.reports.probe_page import probe_page, require_probe_file, write_probe
from surefoot.reports.probe_text import probe_text
from surefoot.reports.terminal import summary
from surefoot.reports.watching import Printer

__all__ = [
    "Grid",
    "Printer",
    "ablation_text",
    "forms_table",
    "page",
    "probe_page",
    "probe_text",
    "require_probe_file",
    "summary",
    "write_comparison",
    "write_page",
    "write_probe",
]
