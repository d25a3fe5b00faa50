"""Appends the files that are named to INBOX."""
import sys

from named_imap import connect, ok

imap = connect()
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        ok(imap.append("INBOX", None, None, file.read()))
imap.logout()
