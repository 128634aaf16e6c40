"""Several trainings of one architecture as one stacked model."""
