"""The checks before a deployment in the forms that other programs read. Pure: text goes out."""
