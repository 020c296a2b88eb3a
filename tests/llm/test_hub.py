"""What is asked of a hub, and what is not."""

import socket

import pytest

pytest.importorskip("huggingface_hub", reason="needs humobctl[llm]")

from humobctl.llm.hub import hub_settings


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_network_only_the_cache_is_looked_at(monkeypatch):
    def unknown(*_args):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert hub_settings() == {"local_files_only": True}
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    assert hub_settings() == {}


def test_a_hub_that_has_an_address_is_asked(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args: ["an address"])
    assert hub_settings() == {}
