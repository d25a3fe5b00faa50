// Reads INBOX with imapflow; prints what it saw as JSON.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "here.js"));
const { ImapFlow } = require("imapflow");
const server = JSON.parse(process.env.SERVER);
const client = new ImapFlow({
  host: server.address,
  port: server.port,
  secure: true,
  logger: false,
  tls: { ca: fs.readFileSync(server.authority), servername: server.name },
  auth: { user: server.user, pass: server.password },
});
await client.connect();
const lock = await client.getMailboxLock("INBOX");
const messages = [];
const wanted = { uid: true, flags: true, envelope: true, bodyStructure: true, headers: ["email2-verdict"] };
for await (const message of client.fetch("1:*", wanted)) {
  messages.push({
    verified: message.flags.has("$Email2Verified"),
    subject: message.envelope.subject,
    messageId: message.envelope.messageId,
    author: message.envelope.from[0].address,
    verdict: message.headers.toString().trim(),
    kind: message.bodyStructure.type,
  });
}
const { content } = await client.download("2", "1");
let text = "";
for await (const piece of content) text += piece.toString();
const found = await client.search({ body: "Straße" });
await client.messageFlagsAdd("1", ["\\Seen"]);
const folders = (await client.list()).map((folder) => folder.specialUse).filter(Boolean);
await client.messageMove("2", "Archive");
const { exists } = client.mailbox;
lock.release();
await client.logout();
console.log(JSON.stringify({ messages, text, found, folders, exists }));
