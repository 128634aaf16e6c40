"""The pictures of docs/questions.md, each drawn from trainings that were really run."""
