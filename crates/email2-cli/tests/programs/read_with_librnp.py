"""Thunderbird's own OpenPGP library reads what is given:
python3 read_with_librnp.py KEYS… -- MESSAGE [SIGNATURE]; prints JSON."""
import ctypes
import json
import os
import sys

rnp = ctypes.CDLL(os.environ["LIBRNP"])
PUBLIC, SECRET, PERMISSIVE = 1, 2, 1 << 8


def check(status):
    if status != 0:
        rnp.rnp_result_to_string.restype = ctypes.c_char_p
        sys.exit(rnp.rnp_result_to_string(status).decode())


def source(path):
    handle = ctypes.c_void_p()
    check(rnp.rnp_input_from_path(ctypes.byref(handle), path.encode()))
    return handle


split = sys.argv.index("--")
ffi = ctypes.c_void_p()
check(rnp.rnp_ffi_create(ctypes.byref(ffi), b"GPG", b"GPG"))
Provider = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
    ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t,
)


@Provider
def passphrase(_ffi, _context, _key, _why, buffer, size):
    """The passphrase of a locked key, from the environment."""
    secret = os.environ.get("PASSPHRASE", "").encode() + b"\0"
    ctypes.memmove(buffer, secret, min(len(secret), size))
    return len(secret) <= size


check(rnp.rnp_ffi_set_pass_provider(ffi, passphrase, None))
imported = []
for path in sys.argv[1:split]:
    told = ctypes.c_char_p()
    flags = PUBLIC | SECRET | PERMISSIVE
    check(rnp.rnp_import_keys(ffi, source(path), flags, ctypes.byref(told)))
    imported.append(json.loads(told.value))
message, *signature = sys.argv[split + 1:]
operation, output = ctypes.c_void_p(), ctypes.c_void_p()
if signature:
    check(rnp.rnp_op_verify_detached_create(
        ctypes.byref(operation), ffi, source(message), source(signature[0])))
else:
    check(rnp.rnp_output_to_memory(ctypes.byref(output), ctypes.c_size_t(0)))
    check(rnp.rnp_op_verify_create(ctypes.byref(operation), ffi, source(message), output))
check(rnp.rnp_op_verify_execute(operation))
count = ctypes.c_size_t()
check(rnp.rnp_op_verify_get_signature_count(operation, ctypes.byref(count)))
statuses = []
for place in range(count.value):
    one = ctypes.c_void_p()
    check(rnp.rnp_op_verify_get_signature_at(operation, ctypes.c_size_t(place), ctypes.byref(one)))
    statuses.append(rnp.rnp_op_verify_signature_get_status(one))
text = ""
if not signature:
    octets, length = ctypes.c_void_p(), ctypes.c_size_t()
    check(rnp.rnp_output_memory_get_buf(
        output, ctypes.byref(octets), ctypes.byref(length), ctypes.c_bool(False)))
    text = ctypes.string_at(octets, length.value).decode()
print(json.dumps({"imported": imported, "signatures": statuses, "text": text}))
