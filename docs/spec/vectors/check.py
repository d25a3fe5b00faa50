#!/usr/bin/env python3
"""Checks the vectors of this directory with nothing but Python's library and GnuPG.

It is written from the specification's text, shares no code with the library that
made the vectors, and reads what can be read without an OpenPGP implementation:
the records, the KEY dialogue, the grammar of a seal, its canonical text, its
digest, its re-encoded signature packet, the arithmetic of Ed25519, and the seals
of every message against their envelope. With `gpg` on the path every seal that
should verify is verified by it too.

    python3 docs/spec/vectors/check.py [--require-gpg]

prints one line and leaves with 0 when everything agrees, else one line for each
disagreement and 1. A layer it does not read is counted as left.
"""

import base64
import binascii
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
NOTATION = b"seal@email2.invalid"


class Fault(Exception):
    """A rule that the input breaks; its text is the vector's word for it."""


# --- Base64 in its one form (§4.1.3) ---


def one_form(text, alphabet, padded):
    if not re.fullmatch(alphabet + r"+=*" if padded else alphabet + r"+", text):
        raise Fault("grammar")
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        octets = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error:
        raise Fault("grammar") from None
    again = base64.b64encode(octets).decode()
    if not padded:
        again = again.rstrip("=").replace("+", "-").replace("/", "_")
    if again != text:
        raise Fault("grammar")
    return octets


def unpadded(text):
    return one_form(text, r"[A-Za-z0-9_-]", False)


def padded(text):
    return one_form(text, r"[A-Za-z0-9+/]", True)


# --- The seal: grammar and canonical text (§4.1) ---

FIELD = re.compile(
    r"v=(?P<v>[^;]*);f=(?P<f>author|forward|service);s=(?P<s>[A-Za-z0-9_-]+)"
    r";m=(?P<m>[A-Za-z0-9_-]*);r=(?P<r>[A-Za-z0-9_,-]+);t=(?P<t>0|[1-9][0-9]{0,11})"
    r";x=(?P<x>0|[1-9][0-9]{0,11});n=(?P<n>[A-Za-z0-9_-]{22})"
    r";k=(?P<k>[0-9a-f]{40}|[0-9a-f]{64});h=sha-256:(?P<h>[A-Za-z0-9+/=]+)"
    r";b=(?P<b>[A-Za-z0-9+/=]+)"
)


def address(octets):
    """An address or, as a signer, `@domain`, that is in normal form as far as ASCII goes."""
    text = octets.decode("utf-8", "strict")
    local, at, domain = text.rpartition("@")
    if not at or domain != domain.lower() or not re.fullmatch(r"[a-z0-9.-]+", domain):
        raise Fault("grammar")
    return text


class Seal:
    """A seal whose grammar is right."""

    def __init__(self, value):
        flat = re.sub(r"\r\n(?=[ \t])|[ \t]", "", value)
        if flat.startswith("v=") and not flat.startswith("v=1;"):
            raise Fault("version")
        match = FIELD.fullmatch(flat)
        if not match:
            raise Fault("grammar")
        self.role = match["f"]
        self.signer = address(unpadded(match["s"]))
        self.mail_from = address(unpadded(match["m"])) if match["m"] else ""
        self.recipients = [address(unpadded(one)) for one in match["r"].split(",")]
        self.time, self.expires = int(match["t"]), int(match["x"])
        self.key = match["k"]
        self.digest = padded(match["h"])
        self.packet = padded(match["b"])
        self.nonce = unpadded(match["n"])
        self.canonical = flat[: match.start("b")]
        twice = len(set(self.recipients)) != len(self.recipients)
        if twice or self.time >= self.expires or len(self.nonce) != 16:
            raise Fault("grammar")

    def signed(self):
        return b"EMAIL2-SEAL-1\0" + self.canonical.encode()


# --- The signature packet, encoded again (§4.2) ---

L = 2**252 + 27742317777372353535851937790883648493


def integer(octets):
    """An MPI: bit count and octets without leading zeros."""
    bare = octets.lstrip(b"\0")
    bits = (len(bare) - 1) * 8 + bare[0].bit_length() if bare else 0
    return bits.to_bytes(2, "big") + bare


def hashed_area(seal):
    fingerprint = bytes.fromhex(seal.key)
    notation = b"\x80\0\0\0" + len(NOTATION).to_bytes(2, "big") + b"\0\x01" + NOTATION + b"1"
    parts = [
        b"\x02" + seal.time.to_bytes(4, "big"),
        b"\x21\x04" + fingerprint,
        b"\x94" + notation,
    ]
    return b"".join(bytes([len(part)]) + part for part in parts)


def read_integers(packet):
    """R and S of a packet that looks like ours, wherever its integers stand."""
    area = len(packet) and int.from_bytes(packet[6:8], "big")
    rest = packet[8 + area + 2 + 2 :]
    values = []
    for _ in range(2):
        size = (int.from_bytes(rest[:2], "big") + 7) // 8
        values.append(rest[2 : 2 + size])
        rest = rest[2 + size :]
    return values


def packet_for(seal, r, s, left):
    area = hashed_area(seal)
    body = b"\x04\0\x16\x08" + len(area).to_bytes(2, "big") + area + b"\0\0" + left
    body += integer(r) + integer(s)
    if len(body) < 192:
        return b"\xc2" + bytes([len(body)]) + body
    size = len(body) - 192
    return b"\xc2" + bytes([192 + (size >> 8), size & 255]) + body


def digest_of(seal):
    area = hashed_area(seal)
    tail = b"\x04\0\x16\x08" + len(area).to_bytes(2, "big") + area
    return hashlib.sha256(seal.signed() + tail + b"\x04\xff" + len(tail).to_bytes(4, "big")).digest()


def canonical_packet(seal):
    """R and S, when the packet is the one way to write them (§4.2.3)."""
    if len(seal.packet) < 12 or seal.packet[0] != 0xC2:
        raise Fault("packet")
    r, s = read_integers(seal.packet)
    left = seal.packet[8 + len(hashed_area(seal)) + 2 :][:2]
    if packet_for(seal, r, s, left) != seal.packet:
        raise Fault("packet")
    if len(r) > 32 or len(s) > 32:
        raise Fault("packet")
    r, s = r.rjust(32, b"\0"), s.rjust(32, b"\0")
    if int.from_bytes(s, "little") >= L:
        raise Fault("packet")
    return r, s, left


# --- Ed25519 (RFC 8032 §5.1), affine and slow ---

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def add(one, two):
    (x1, y1), (x2, y2) = one, two
    both = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - both, -1, P)
    return x % P, y % P


def times(scalar, point):
    result = (0, 1)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def point(octets):
    y = int.from_bytes(octets, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P:
        raise Fault("signature")
    return (P - x if x & 1 != sign else x), y


BASE = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519(public, message, r, s):
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    right = add(point(r), times(k, point(public)))
    return times(int.from_bytes(s, "little"), BASE) == right


# --- Certificates: just enough to know which key signs for whom, and until when (§6) ---


def dearmor(text):
    body = text.split("\n\n", 1)[1].split("\n=", 1)[0].split("\n-----END", 1)[0]
    return base64.b64decode("".join(body.split()))


def packets(octets):
    while octets:
        tag, first = octets[0] & 0x3F, octets[1]
        if first < 192:
            size, start = first, 2
        elif first < 224:
            size, start = ((first - 192) << 8) + octets[2] + 192, 3
        else:
            size, start = int.from_bytes(octets[2:6], "big"), 6
        yield tag, octets[start : start + size]
        octets = octets[start + size :]


def subpackets(body):
    area = body[6 : 6 + int.from_bytes(body[4:6], "big")]
    while area:
        first = area[0]
        if first < 192:
            size, start = first, 1
        elif first < 255:
            size, start = ((first - 192) << 8) + area[1] + 192, 2
        else:
            size, start = int.from_bytes(area[1:5], "big"), 5
        yield area[start] & 0x7F, area[start + 1 : start + size]
        area = area[start + size :]


class Certificate:
    """The keys of a certificate, each with its times, as its own signatures say."""

    def __init__(self, armored):
        self.identities, self.keys, self.refusals = [], {}, []
        current = None
        for tag, body in packets(dearmor(armored)):
            if tag in (6, 14):
                mark = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body)
                current = mark.hexdigest()
                created = int.from_bytes(body[1:5], "big")
                key = {"body": body, "created": created, "signs": False, "until": None, "made": -1}
                self.keys[current] = key
                if tag == 6:
                    self.primary = current
            elif tag == 13:
                self.identities.append(body.decode())
                current = self.primary
            elif tag == 2:
                self.signature(current, body)

    def signature(self, current, body):
        kind, said = body[1], dict(subpackets(body))
        made = int.from_bytes(said[2], "big")
        key = self.keys[current]
        if kind in (0x20, 0x28):
            reason = said.get(29, b"\0")[0]
            everything = kind == 0x20
            self.refusals.append((None if everything else current, made, reason in (0, 2)))
        elif kind in (0x13, 0x18, 0x1F) and made > key["made"]:
            key["made"] = made
            key["signs"] = bool(said.get(27, b"\0")[0] & 2)
            seconds = int.from_bytes(said.get(9, b""), "big")
            key["until"] = key["created"] + seconds if seconds else None

    def public(self, fingerprint, signer, at, flags):
        """The public octets of the key that may seal for the signer at that time."""
        key = self.keys.get(fingerprint)
        bound = [one for one in self.identities if one == signer or one.endswith(f"<{signer}>")]
        if not key or not key["signs"] or not bound or "hard" in flags:
            raise Fault("key")
        for of, when, hard in self.refusals:
            if of in (None, fingerprint) and (hard or when <= at):
                raise Fault("key")
        for one in (key, self.keys[self.primary]):
            if one["until"] is not None and one["until"] <= at:
                raise Fault("key")
        until = [int(flag[6:]) for flag in flags if flag.startswith("until=")]
        if any(when <= at for when in until) or key["created"] > at + 86400:
            raise Fault("key")
        return key["body"][-32:]


def verify(seal, content, certificate, flags):
    r, s, left = canonical_packet(seal)
    public = Certificate(certificate).public(seal.key, seal.signer, seal.time, flags)
    digest = digest_of(seal)
    if digest[:2] != left or not ed25519(public, digest, r, s):
        raise Fault("signature")
    if hashlib.sha256(content).digest() != seal.digest:
        raise Fault("digest")


# --- The layers ---


def layer_seal(given):
    seal = Seal(given["seal"])
    flags = [] if given["flags"] == "-" else given["flags"].split(",")
    verify(seal, given["content"].encode(), given["certificate"], flags)
    gpg_agrees(seal, given["certificate"])
    return {"signer": seal.signer}


def layer_record(given):
    tags = {}
    for part in re.split(r"[ \t]*;[ \t]*", given["record"].strip(" \t;")):
        name, _, value = part.partition("=")
        if name in tags:
            return {"refused": True}
        tags[name] = value
    if not given["record"].startswith("v=EMAIL2") or tags.get("v") != "EMAIL2":
        return {"refused": True}
    p = tags.get("p", "open")
    ma = min(int(tags["ma"]), 7776000) if "ma" in tags else None
    return {"p": p, "sp": tags.get("sp", p), "ma": ma}


KEY = re.compile(
    r"<(?P<who>[^<>\s]*@[^<>\s]+)>( (?i:FPR)=(?P<fpr>[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}))?"
    r"( (?i:ETAG)=(?P<etag>[0-9a-f]{1,64}))?"
)
KEYPUT = re.compile(r"<(?P<who>[^<>\s]+@[^<>\s]+)> (?P<size>[0-9]{1,5})")


def layer_key_command(given):
    grammar = KEY if given["verb"] == "KEY" else KEYPUT
    match = grammar.fullmatch(given["arguments"])
    if not match:
        return {"refused": True}
    local, _, domain = match["who"].rpartition("@")
    text = f"<{local}@{domain.lower()}>"
    if given["verb"] == "KEYPUT":
        return {"canonical": f"{text} {match['size']}"}
    text += f" FPR={match['fpr'].lower()}" if match["fpr"] else ""
    return {"canonical": text + (f" ETAG={match['etag']}" if match["etag"] else "")}


FIRST = re.compile(r"2\.0\.0 v=1 etag=([0-9a-f]{1,64}) ttl=([0-9]{1,10}) flags=(\S+)")
KNOWN = {"strict": None, "unlisted": None, "hard": None, "since": r"[0-9]{1,12}"}
KNOWN |= {"until": r"[0-9]{1,12}", "p": "strict|open", "sp": "strict|open", "ma": r"[0-9]{1,8}"}


def known_flags(text):
    kept, seen = [], set()
    for flag in [] if text == "-" else text.split(","):
        name, equals, value = flag.partition("=")
        if name not in KNOWN:
            continue
        form = KNOWN[name]
        right = not equals if form is None else equals and re.fullmatch(form, value)
        if name in seen or not right:
            return None
        seen.add(name)
        kept.append(flag)
    return ",".join(kept) or "-"


def layer_key_answer(given):
    lines = given["lines"]
    if lines == ["2.0.0 unchanged"]:
        return "unchanged"
    first = FIRST.fullmatch(lines[0])
    flags = known_flags(first[3]) if first else None
    if flags is None or not all(line.startswith("2.0.0 ") for line in lines[1:]):
        return {"refused": True}
    octets = base64.b64decode("".join(line[6:] for line in lines[1:]))
    if len(octets) > 32 * 1024:
        return {"refused": True}
    return {"etag": first[1], "ttl": int(first[2]), "flags": flags, "octets": len(octets)}


def seals_of(message):
    """Each seal with what stands below it, top first; stops at the first other section."""
    found, rest = [], message
    while True:
        end = re.search(r"\r\n(?![ \t])", rest)
        if not end or end.start() == 0:
            return found
        field, rest = rest[: end.start()], rest[end.end() :]
        name, _, value = field.partition(":")
        if name.lower() == "email2-seal":
            found.append((Seal(value), rest.encode("utf-8", "surrogateescape")))


def layer_chain(given):
    """The seals of a message that must be accepted (§4.4 to §4.6, §4.9)."""
    seals, signers = seals_of(given["message"]), given["signers"]
    top = seals[0][0]
    announced = given["announced"] is not None
    if announced and top.mail_from != given["mail_from"]:
        raise Fault("envelope")
    if not set(given["recipients"]) <= set(top.recipients):
        raise Fault("envelope")
    if given["announced"] not in (None, f"{top.role},{top.signer}"):
        raise Fault("announced")
    if not (top.time <= given["now"] + 600 and given["now"] < top.expires):
        raise Fault("time")
    above = None
    for (seal, content), known in zip(seals, signers):
        flags = [] if known["flags"] == "-" else known["flags"].split(",")
        verify(seal, content, known["known"], flags)
        gpg_agrees(seal, known["known"])
        if above and not seal.time <= above.time <= seal.expires:
            raise Fault("time")
        if above and not re.search(rf"{re.escape(above.signer)}", ",".join(seal.recipients)):
            raise Fault("chain")
        above = seal
    author = re.search(r"^From:.*?([^\s<>]+@[^\s<>]+?)>?\r$", given["message"], re.M)
    if not author or author[1] != above.signer:
        raise Fault("from")
    return {"verified": above.signer}


# --- GnuPG, as a second opinion on the arithmetic ---

gpg = {"program": shutil.which("gpg"), "count": 0}


def gpg_agrees(seal, certificate):
    if not gpg["program"]:
        return
    with tempfile.TemporaryDirectory() as home:
        place = pathlib.Path(home)
        (place / "certificate").write_text(certificate)
        (place / "seal.sig").write_bytes(seal.packet)
        (place / "signed").write_bytes(seal.signed())
        run = [gpg["program"], "--homedir", home, "--batch", "--no-tty", "--status-fd", "1"]
        run += ["--no-autostart", "--known-notation", NOTATION.decode()]
        subprocess.run(run + ["--import", str(place / "certificate")], capture_output=True)
        files = [str(place / "seal.sig"), str(place / "signed")]
        answer = subprocess.run(run + ["--verify", *files], capture_output=True).stdout.decode()
    if f"VALIDSIG {seal.key.upper()}" not in answer:
        raise Fault("gpg")
    gpg["count"] += 1


LAYERS = {
    "record": layer_record,
    "key-command": layer_key_command,
    "key-answer": layer_key_answer,
    "seal": layer_seal,
    "chain": layer_chain,
}


def check(entry):
    """None when this program does not read the case, else whether it agrees, and its word."""
    vector = json.loads((HERE / entry["file"]).read_text())
    layer, given = entry["layer"], vector["given"]
    if layer not in LAYERS or (layer == "chain" and entry["expect"] != "valid"):
        return None
    try:
        outcome = LAYERS[layer](given)
    except Fault as fault:
        outcome = {"fault": str(fault)}
    if layer == "chain":
        return "verified" in outcome, outcome
    return outcome == vector["outcome"], outcome


def main():
    agreed = left = 0
    wrong = []
    for entry in json.loads((HERE / "index.json").read_text()):
        result = check(entry)
        if result is None:
            left += 1
        elif result[0]:
            agreed += 1
        else:
            wrong.append(f"{entry['id']}: found {result[1]}")
    if "--require-gpg" in sys.argv[1:] and not gpg["count"]:
        wrong.append("gpg verified nothing")
    for line in wrong:
        print(line)
    print(f"{agreed} agree, {len(wrong)} disagree, {left} left, {gpg['count']} seals verified by gpg")
    return 1 if wrong else 0


sys.exit(main())
