"""Small programs that run in a service's own interpreter, with its SQLAlchemy and its driver.

They are sent there as text (``safety.inside``), so they import nothing of devctl but each other, and nothing newer
than Python 3.8 and SQLAlchemy 1.4 know.
"""
