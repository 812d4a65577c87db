"""The other side of compare.lua: Python's reader of forms, and a server that sends given bytes.

Lines on standard input, bytes in hexadecimal:
  form N      N lines follow, each a form; N lines come back, the pairs that parse_qsl reads: name=value&name=value, or "-"
              when it refuses the form
  http BYTES  the next connection gets these bytes, whatever it requests; then the server ends it
The first line on standard output is the server's port."""

import socket
import sys
from urllib.parse import parse_qsl

MAX_FIELDS = 1000
TIMEOUT = 10  # seconds


def read_form(text):
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", separator="&", max_num_fields=MAX_FIELDS)
    except ValueError:
        return "-"
    return "&".join(f"{name.encode('latin-1').hex()}={value.encode('latin-1').hex()}" for name, value in pairs)


def read_request(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)


def respond(listener, data):
    connection, _ = listener.accept()
    connection.settimeout(TIMEOUT)
    with connection:
        try:
            read_request(connection)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            pass  # the client has refused the response already


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(TIMEOUT)
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        kind, _, argument = line.rstrip("\n").partition(" ")
        if kind == "form":
            forms = [bytes.fromhex(sys.stdin.readline().strip()).decode("latin-1") for _ in range(int(argument))]
            print("\n".join(read_form(form) for form in forms), flush=True)
        else:
            respond(listener, bytes.fromhex(argument))


main()
