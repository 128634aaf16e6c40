"""What the recipe's network section does: averages of the weights, pruning, layers that become smaller."""
