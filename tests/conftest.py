"""What holds for every test."""

from hypothesis import settings

pytest_plugins = ["server_fixtures"]

settings.register_profile("firstline", deadline=None)  # a busy machine is slow now and then, and no test's fault
settings.load_profile("firstline")
