"""What probes measure of a run beside its steps: curvature, cost, the loss on fixed rows."""
