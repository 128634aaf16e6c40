"""``python -m benchmarks``: measure what the README claims and print it beside its target."""

from __future__ import annotations

import sys

from benchmarks import main_job

sys.exit(main_job.main())
