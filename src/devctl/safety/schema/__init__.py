"""A database against its models."""
