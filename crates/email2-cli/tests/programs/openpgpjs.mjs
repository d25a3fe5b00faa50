// OpenPGP.js as another implementation: node openpgpjs.mjs WHAT FILES…
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "here.js"));
const openpgp = require("openpgp");
const [what, ...files] = process.argv.slice(2);
const read = (file) => fs.readFileSync(file);
const publicKey = (file) => openpgp.readKey({ binaryKey: read(file) });
const privateKey = (file) => openpgp.readPrivateKey({ armoredKey: read(file, "utf8").toString() });

if (what === "generate") {
  const [userId, secret, certificate] = files;
  const made = await openpgp.generateKey({
    type: "ecc",
    curve: "curve25519Legacy",
    userIDs: [{ email: userId }],
    format: "object",
  });
  fs.writeFileSync(secret, made.privateKey.armor());
  fs.writeFileSync(certificate, made.publicKey.write());
} else if (what === "sign") {
  const [secret, part] = files;
  const message = await openpgp.createMessage({ binary: read(part) });
  process.stdout.write(
    await openpgp.sign({ message, signingKeys: await privateKey(secret), detached: true }),
  );
} else if (what === "encrypt") {
  const [secret, certificate, part] = files;
  const message = await openpgp.createMessage({ binary: read(part) });
  process.stdout.write(
    await openpgp.encrypt({
      message,
      encryptionKeys: await publicKey(certificate),
      signingKeys: await privateKey(secret),
    }),
  );
} else if (what === "describe") {
  const key = await publicKey(files[0]);
  const encrypts = Boolean(await key.getEncryptionKey());
  const told = { primary: key.getFingerprint(), userIds: key.getUserIDs(), encrypts };
  console.log(JSON.stringify(told));
} else if (what === "verify") {
  const [certificate, part, signature] = files;
  const checked = await openpgp.verify({
    message: await openpgp.createMessage({ binary: read(part) }),
    signature: await openpgp.readSignature({ armoredSignature: read(signature).toString() }),
    verificationKeys: await publicKey(certificate),
  });
  console.log(await checked.signatures[0].verified);
} else if (what === "decrypt") {
  const [secret, certificate, file] = files;
  const opened = await openpgp.decrypt({
    message: await openpgp.readMessage({ armoredMessage: read(file).toString() }),
    decryptionKeys: await privateKey(secret),
    verificationKeys: await publicKey(certificate),
  });
  console.log(await opened.signatures[0].verified);
  process.stdout.write(opened.data);
}
