// A member of ts-mls behind lines of JSON: {"do": ..., ...} in, {"ok": ...} or {"error": ...} out.
// Bytes are hexadecimal text. argv[2]: the folder of the package ts-mls; argv[3]: the suite's name.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(`${process.argv[2]}/dist/src/${name}.js`).href);
const mls = { ...(await load("index")), ...(await load("message")) };
const { defaultCapabilities } = await load("defaultCapabilities");
const { defaultLifetime } = await load("lifetime");

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"));
const suite = await mls.getCiphersuiteImpl(mls.getCiphersuiteFromName(process.argv[3]));
const encode = (wireformat, field, value) =>
  hex(mls.encodeMlsMessage({ version: "mls10", wireformat, [field]: value }));
const decode = (text) => mls.decodeMlsMessage(bytes(text), 0)[0];

let client, state;

const commands = {
  async package({ name }) {
    const credential = { credentialType: "basic", identity: new TextEncoder().encode(name) };
    client = await mls.generateKeyPackage(credential, defaultCapabilities(), defaultLifetime, [], suite);
    return encode("mls_key_package", "keyPackage", client.publicPackage);
  },
  async create({ group }) {
    state = await mls.createGroup(bytes(group), client.publicPackage, client.privatePackage, [], suite);
  },
  async join({ welcome, tree }) {
    state = await mls.joinGroup(
      decode(welcome).welcome, client.publicPackage, client.privatePackage, mls.emptyPskIndex, suite, tree,
    );
  },
  async commit({ add = [], remove = [] }) {
    const extraProposals = [
      ...add.map((each) => ({ proposalType: "add", add: { keyPackage: decode(each).keyPackage } })),
      ...remove.map((removed) => ({ proposalType: "remove", remove: { removed } })),
    ];
    const made = await mls.createCommit(
      { state, cipherSuite: suite }, { extraProposals, ratchetTreeExtension: true },
    );
    state = made.newState;
    return {
      commit: hex(mls.encodeMlsMessage(made.commit)),
      welcome: made.welcome && encode("mls_welcome", "welcome", made.welcome),
    };
  },
  async send({ data }) {
    const made = await mls.createApplicationMessage(state, bytes(data), suite);
    state = made.newState;
    return encode("mls_private_message", "privateMessage", made.privateMessage);
  },
  async process({ message }) {
    const decoded = decode(message);
    const result = decoded.wireformat === "mls_private_message"
      ? await mls.processPrivateMessage(state, decoded.privateMessage, mls.emptyPskIndex, suite)
      : await mls.processPublicMessage(state, decoded.publicMessage, mls.emptyPskIndex, suite);
    state = result.newState;
    return result.kind === "applicationMessage" ? hex(result.message) : null;
  },
  async authenticator() {
    return hex(state.keySchedule.epochAuthenticator);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    console.log(JSON.stringify({ ok: (await commands[request.do](request)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
