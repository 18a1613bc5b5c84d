"""The tests: the specification that runs."""
