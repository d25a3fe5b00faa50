"""Reads, searches, flags, files and waits with imaplib; says `done` when all was right."""
import email
import email.policy
import imaplib

from named_imap import connect, ok

KEYWORD = b"$Email2Verified"
VERIFIED = b"Email2-Verdict: verified; author=bob@example.org; assurance="


def search(imap, *keys, text=None):
    if text is not None:
        imap.literal = text.encode()
    return ok(imap.search("UTF-8" if text is not None else None, *keys))[0].split()


def refused(imap, code, call, *arguments):
    kind, data = call(*arguments)
    assert kind == "NO" and code in data[0], (kind, data)


def flags(imap, number):
    answer = ok(imap.fetch(number, "(FLAGS)"))[-1]
    return imaplib.ParseFlags(answer)


imap = connect()
folders = b"\n".join(ok(imap.list()))
for use in (b"Archive", b"Drafts", b"Junk", b"Sent", b"Trash"):
    assert b"\\" + use in folders, folders

# What is there: two that bob sealed, then three that alice put there herself.
assert ok(imap.select("INBOX")) == [b"5"]
whole = {}
for number in "12345":
    (line, octets), *_ = ok(imap.fetch(number, "(FLAGS BODY.PEEK[])"))
    whole[number] = octets
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    is_sealed = number in "12"
    assert octets.startswith(VERIFIED if is_sealed else b"Email2-Verdict: appended\r\n"), octets
    assert (KEYWORD in imaplib.ParseFlags(line)) == is_sealed, line
    assert len(message.get_all("Email2-Verdict")) == 1, octets
    size = ok(imap.fetch(number, "(RFC822.SIZE)"))[0]
    assert str(len(octets)).encode() in size, size
assert "Straße" in email.message_from_bytes(whole["2"]).get_payload(0).get_payload(decode=True).decode()
assert b"\r\nX-Email2-Verdict: verified; author=bob@example.org" in whole["3"], whole["3"]

# Case I06: quotes, backslashes and raw octets arrive as they are, and nothing chokes.
envelope = b"".join(
    part if isinstance(part, bytes) else b"".join(part)
    for part in ok(imap.fetch("4", "(ENVELOPE)"))
)
assert b'"<a\\"b\\\\c@example.org>"' in envelope, envelope
ok(imap.fetch("4", "(BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID TO)])"))
# Case I08: what looks like an answer inside of a literal is none.
assert b"a1 NO it failed\r\n* 99 EXISTS\r\n* BYE\r\n)" in whole["5"]
assert imap.noop()[0] == "OK"

# Searching looks at what a person reads: decoded, in any case.
assert search(imap, "SUBJECT", text="grüße") == [b"2"]
assert search(imap, "BODY", text="STRAßE UND") == [b"2"]
assert search(imap, "TEXT", text="köln") == [b"2"]
assert search(imap, "FROM", '"bob@example.org"') == [b"1", b"2", b"3", b"4", b"5"]
assert search(imap, "KEYWORD", "$Email2Verified") == [b"1", b"2"]
assert search(imap, "UNSEEN", "NOT", "KEYWORD", "$Email2Verified", "LARGER", "10") == [b"3", b"4", b"5"]

# The verdict is the server's alone.
forged = b"From: bob@example.org\r\nSubject: x\r\n\r\ny\r\n"
refused(imap, b"CANNOT", imap.append, "INBOX", "($Email2Verified)", None, forged)
refused(imap, b"CANNOT", imap.store, "3", "+FLAGS", "($Email2Verified)")
refused(imap, b"CANNOT", imap.store, "3", "FLAGS", "(\\Seen $EMAIL2VERIFIED)")
refused(imap, b"CANNOT", imap.store, "1", "-FLAGS", "($Email2Verified)")
ok(imap.store("1", "FLAGS", "(\\Flagged)"))
assert set(flags(imap, "1")) == {b"\\Flagged", KEYWORD}
assert KEYWORD not in flags(imap, "3")

# Folders, copies and moves; the verdict goes along, an appended copy has none.
ok(imap.create("Lists/Stra&AN8-e"))
ok(imap.rename("Lists/Stra&AN8-e", "Lists/rust"))
ok(imap.subscribe("Lists/rust"))
assert b"Lists/rust" in b"".join(ok(imap.lsub()))
ok(imap.copy("1:3", "Lists/rust"))
assert imap.response("COPYUID")[1][-1].split()[1:] == [b"1:3", b"1:3"]
ok(imap.uid("MOVE", "5", "Lists/rust"))
assert ok(imap.search(None, "ALL")) == [b"1 2 3 4"]
ok(imap.append("Lists/rust", None, None, whole["1"]))
assert ok(imap.select("Lists/rust")) == [b"5"]
assert search(imap, "KEYWORD", "$Email2Verified") == [b"1", b"2"]
copied = ok(imap.fetch("5", "(BODY.PEEK[])"))[0][1]
assert copied.startswith(b"Email2-Verdict: appended\r\nX-Email2-Verdict: verified;"), copied
ok(imap.store("4:5", "+FLAGS", "\\Deleted"))
assert ok(imap.expunge()) == [b"4", b"4"]

# Two sessions: each sees what the other does, in order, without asking for more.
other = connect()
ok(other.select("Lists/rust"))
ok(other.store("1", "+FLAGS", "(\\Seen $Label1)"))
ok(other.append("Lists/rust", None, None, forged))
ok(other.store("2", "+FLAGS", "\\Deleted"))
ok(other.expunge())
imap.untagged_responses.clear()
ok(imap.noop())
seen = imap.untagged_responses
assert seen["EXPUNGE"] == [b"2"] and seen["EXISTS"] == [b"3"], seen
assert b"$Label1" in seen["FETCH"][0] and seen["FETCH"][0].startswith(b"1 ("), seen

# IDLE: told while waiting.
imap.send(b"w1 IDLE\r\n")
assert imap.readline().startswith(b"+")
ok(other.append("Lists/rust", None, None, forged))
assert imap.readline() == b"* 4 EXISTS\r\n"
imap.send(b"DONE\r\n")
assert imap.readline().startswith(b"w1 OK")
other.logout()

ok(imap.select("INBOX"))
ok(imap.delete("Lists/rust"))
ok(imap.unsubscribe("Lists/rust"))
imap.logout()
print("done")
