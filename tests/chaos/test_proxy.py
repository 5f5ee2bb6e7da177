"""The proxy in front of a database: what passes, what does not, and how connections end."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager, suppress

import pytest

from migrator.chaos.addresses import Address
from migrator.chaos.proxy import CLEAR, Link, Proxy
from migrator.errors import UsageError


@contextmanager
def echo():
    """A server that sends everything back."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve(connection):
            with connection, suppress(OSError):
                while data := connection.recv(4096):
                    connection.sendall(data)

        def accept():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield Address("127.0.0.1", listening.getsockname()[1])


@pytest.fixture
def proxy():
    with echo() as address, Proxy(address) as made:
        yield made


def opened(proxy):
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    connection.sendall(b"hello")
    assert connection.recv(5) == b"hello"
    return connection


def test_what_is_sent_arrives_whole_and_in_order_however_late(proxy):
    sent = b"".join(number.to_bytes(4, "big") for number in range(50_000))
    with opened(proxy) as connection:
        proxy.become(Link(latency=0.005, jitter=0.005))
        threading.Thread(target=connection.sendall, args=(sent,)).start()
        got = b""
        while len(got) < len(sent):
            got += connection.recv(65536)
    assert got == sent
    assert proxy.felt == 1


def test_what_is_delayed_does_not_arrive_before_its_time(proxy):
    with opened(proxy) as connection:
        proxy.become(Link(latency=0.1))
        connection.sendall(b"later")
        connection.settimeout(0.05)
        with pytest.raises(TimeoutError):
            connection.recv(5)
        connection.settimeout(10)
        assert connection.recv(5) == b"later"


def test_nothing_passes_a_stalled_connection_and_what_was_sent_arrives_afterwards(proxy):
    with opened(proxy) as connection:
        proxy.become(Link(passing=False))
        connection.sendall(b"later")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(5)
        proxy.become(CLEAR)
        connection.settimeout(10)
        assert connection.recv(5) == b"later"


def test_a_cut_ends_what_is_open_and_what_is_opened_until_it_is_over(proxy):
    with opened(proxy) as connection:
        proxy.become(Link(accepting=False))
        assert ended(connection)
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as other:
            assert ended(other)
        proxy.become(CLEAR)
        opened(proxy).close()
    assert proxy.felt == 2


def test_a_reset_breaks_what_is_open_and_nothing_else(proxy):
    with opened(proxy) as connection:
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            connection.recv(5)
    opened(proxy).close()


def test_an_address_that_is_taken_is_said(proxy):
    with pytest.raises(UsageError, match="cannot listen"), Proxy(proxy.upstream, ("127.0.0.1", proxy.port)):
        pass


def ended(connection):
    try:
        return connection.recv(5) == b""
    except ConnectionResetError:
        return True
