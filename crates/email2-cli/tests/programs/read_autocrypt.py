"""Reads the Autocrypt field of a message with muacrypt, the parser of those who made Autocrypt:
read_autocrypt.py MESSAGE KEY writes the key and prints who is said to have it, or the error."""
import json
import sys

from muacrypt.mime import parse_one_ac_header_from_string

message, key = sys.argv[1:]
with open(message, encoding="ascii", newline="") as text:
    read = parse_one_ac_header_from_string(text.read().replace("\r\n", "\n"))
if read.error:
    print(json.dumps({"error": read.error}))
else:
    with open(key, "wb") as file:
        file.write(read.keydata)
    print(json.dumps({"addr": read.addr, "prefer_encrypt": read.prefer_encrypt}))
