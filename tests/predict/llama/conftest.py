"""The real model and its server, which the tests of intentions use, too."""

from tests.intend.conftest import smollm2, smollm2_server

__all__ = ["smollm2", "smollm2_server"]
