"""A trained model in other forms, and what each costs."""
