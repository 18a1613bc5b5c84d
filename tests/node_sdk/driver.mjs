// One installation of the official SDK, driven by lines of JSON on stdin and stdout (tests/support/node_sdk.py).
//
// Every command is {"id", "do", ...} and is answered {"id", "value"} or {"id", "error"}. When the SDK wants the
// wallet's signature, the driver asks {"sign": text} and takes the next line as {"signature": hex}.
import { createInterface } from "node:readline";
import { ApiUrls, Client, IdentifierKind } from "@xmtp/node-sdk";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const listen = async () => {
  const { value, done } = await lines.next();
  if (done) process.exit(0);
  return JSON.parse(value);
};
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));

let client;

const commands = {
  async connect({ url, address, database }) {
    const signer = {
      type: "EOA",
      getIdentifier: () => ({ identifier: address, identifierKind: IdentifierKind.Ethereum }),
      signMessage: async (text) => {
        say({ sign: text });
        return bytes((await listen()).signature);
      },
    };
    // The SDK looks the inbox up at its environment's address, whatever apiUrl says.
    ApiUrls.local = url;
    client = await Client.create(signer, {
      env: "local",
      apiUrl: url,
      dbPath: database,
      dbEncryptionKey: new Uint8Array(32).fill(17),
      disableDeviceSync: true,
    });
    return { inboxId: client.inboxId, installationId: client.installationId };
  },
  async dm({ inboxId, text }) {
    const dm = await client.conversations.createDm(inboxId);
    await dm.sendText(text);
    return dm.id;
  },
  async sync() {
    await client.conversations.syncAll();
    return client.conversations.list().map((conversation) => conversation.id);
  },
  async send({ conversation, text }) {
    return (await client.conversations.getConversationById(conversation)).sendText(text);
  },
  async texts({ conversation }) {
    const found = await client.conversations.getConversationById(conversation);
    await found.sync();
    return (await found.messages()).map((message) => message.content).filter((content) => typeof content === "string");
  },
  async installations() {
    const state = await client.preferences.fetchInboxState();
    return state.installations.map((installation) => installation.id);
  },
  async revokeOthers() {
    await client.revokeAllOtherInstallations();
    return null;
  },
};

for (;;) {
  const { id, do: name, ...arguments_ } = await listen();
  try {
    say({ id, value: await commands[name](arguments_) });
  } catch (error) {
    say({ id, error: String(error?.message ?? error) });
  }
}
