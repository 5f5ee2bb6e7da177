"""How gunicorn serves the shop; it finds this file by itself."""

# One process with threads: its metrics are those of everything that it answered.
threads = 8
# HAProxy keeps the connections of users; behind it each request has its own, so that no idle one is waited for.
keepalive = 0
# Seconds that requests have to be finished after SIGTERM.
graceful_timeout = 10
control_socket_disable = True
