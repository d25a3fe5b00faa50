"""imaplib over TLS to a host of loopback, whose certificate must be valid for its name."""
import imaplib
import json
import os
import ssl

SERVER = json.loads(os.environ["SERVER"])


class Named(imaplib.IMAP4_SSL):
    def _create_socket(self, timeout):
        sock = imaplib.IMAP4._create_socket(self, timeout)
        return self.ssl_context.wrap_socket(sock, server_hostname=SERVER["name"])


def connect():
    trust = ssl.create_default_context(cafile=SERVER["authority"])
    imap = Named(SERVER["address"], SERVER["port"], ssl_context=trust, timeout=30)
    imap.login(SERVER["user"], SERVER["password"])
    return imap


def ok(answer):
    kind, data = answer
    assert kind == "OK", answer
    return data
