"""Records as something to look at: text for the terminal, one HTML page, a picture."""

from surefoot.reports.ablation import ablation_text
from surefoot.reports.chart import Chart
from surefoot.reports.comparison import comparison_page, comparison_pictures, write_comparison
from surefoot.reports.diagnosis_page import diagnosis_page, diagnosis_pictures
from surefoot.reports.forms import forms_table
from surefoot.reports.grid import Grid
from surefoot.reports.in_columns import labelled, padded
from surefoot.reports.page import page, pictures_of, write_report
from surefoot.reports.picture_files import require_matplotlib, write_pictures
from surefoot.reports.probe_page import probe_page, require_probe_file, write_probe
from surefoot.reports.probe_text import probe_text
from surefoot.reports.terminal import summary
from surefoot.reports.watching import Printer
from surefoot.reports.words import in_words
from surefoot.reports.writing import require_report_file, write_as

__all__ = [
    "Chart",
    "Grid",
    "Printer",
    "ablation_text",
    "comparison_page",
    "comparison_pictures",
    "diagnosis_page",
    "diagnosis_pictures",
    "forms_table",
    "in_words",
    "labelled",
    "padded",
    "page",
    "pictures_of",
    "probe_page",
    "probe_text",
    "require_matplotlib",
    "require_probe_file",
    "require_report_file",
    "summary",
    "write_as",
    "write_comparison",
    "write_pictures",
    "write_probe",
    "write_report",
]
