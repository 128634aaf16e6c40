"""The rows of a task on their way to a step: in memory, from a dataset or a stream, ordered, augmented, batched."""
