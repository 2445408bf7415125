"""What is fast and how it scales; run with ``make bench``. Not part of the tests."""
