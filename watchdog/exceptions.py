"""What keeps the product from starting."""


class CannotStartError(Exception):
    """One line for a person: what is wrong, and the way out."""
