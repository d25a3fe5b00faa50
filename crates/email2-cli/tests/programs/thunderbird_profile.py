"""Makes a Thunderbird profile with one IMAP account: python3 thunderbird_profile.py PROFILE

The password is locked with NSS, as Thunderbird does it: LD_LIBRARY_PATH names its libraries.
"""
import base64
import ctypes
import json
import os
import subprocess
import sys

SERVER = json.loads(os.environ["SERVER"])
PROFILE = sys.argv[1]
os.makedirs(PROFILE)


def certutil(*arguments):
    subprocess.run(["certutil", *arguments, "-d", "sql:" + PROFILE], check=True)


certutil("-N", "--empty-password")
certutil("-A", "-n", "authority", "-t", "C,,", "-i", SERVER["authority"])


class Item(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint), ("data", ctypes.c_void_p), ("length", ctypes.c_uint)]


nss = ctypes.CDLL("libnss3.so")


def check(status):
    if status != 0:
        sys.exit("NSS failed")


check(nss.NSS_InitReadWrite(("sql:" + PROFILE).encode()))
nss.PK11_GetInternalKeySlot.restype = ctypes.c_void_p
check(nss.PK11_CheckUserPassword(ctypes.c_void_p(nss.PK11_GetInternalKeySlot()), b""))


def locked(text):
    data = text.encode()
    held = ctypes.create_string_buffer(data, len(data))
    key, clear, result = Item(), Item(0, ctypes.addressof(held), len(data)), Item()
    check(nss.PK11SDR_Encrypt(ctypes.byref(key), ctypes.byref(clear), ctypes.byref(result), None))
    return base64.b64encode(ctypes.string_at(result.data, result.length)).decode()


origin = "imap://" + SERVER["name"]
login = {
    "id": 1,
    "hostname": origin,
    "httpRealm": origin,
    "formSubmitURL": None,
    "usernameField": "",
    "passwordField": "",
    "encryptedUsername": locked(SERVER["user"]),
    "encryptedPassword": locked(SERVER["password"]),
    "guid": "{00000000-0000-4000-8000-000000000001}",
    "encType": 1,
    "timeCreated": 1,
    "timeLastUsed": 1,
    "timePasswordChanged": 1,
    "timesUsed": 1,
}
with open(os.path.join(PROFILE, "logins.json"), "w") as out:
    json.dump({"nextId": 2, "logins": [login], "version": 3}, out)

account = "mail.account.account1."
server = "mail.server.server1."
identity = "mail.identity.id1."
preferences = {
    "mail.accountmanager.accounts": "account1",
    "mail.accountmanager.defaultaccount": "account1",
    account + "server": "server1",
    account + "identities": "id1",
    identity + "useremail": SERVER["user"],
    identity + "fullName": "Alice",
    identity + "valid": True,
    server + "type": "imap",
    server + "hostname": SERVER["name"],
    server + "port": SERVER["port"],
    server + "socketType": 3,
    server + "authMethod": 3,
    server + "userName": SERVER["user"],
    server + "name": SERVER["user"],
    server + "login_at_startup": True,
    server + "check_new_mail": True,
    server + "offline_download": True,
    # Every name is this address: there is no DNS but the test's.
    "network.dns.forceResolve": SERVER["address"],
    "network.proxy.type": 0,
    # Nobody is called and nothing is asked.
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "mail.provider.enabled": False,
    "mail.rights.version": 1,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}
with open(os.path.join(PROFILE, "prefs.js"), "w") as out:
    for name, value in preferences.items():
        out.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
