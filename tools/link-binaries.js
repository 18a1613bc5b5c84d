#!/usr/bin/env node
// Links the compilers and the development node into .tools, where the Makefile puts them on PATH.
//
//   .tools/bin/{forge,anvil,cast}   Foundry: npm's binary, else one of the user's own
//   .tools/solcx/solc-v<version>    the compiler under the name that py-solc-x looks for
//
// Foundry's npm wrapper packages are left alone on purpose: they exit 0 even when the tool failed.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { spawnSync } = require("node:child_process");

const root = path.resolve(__dirname, "..");
const manifest = require(path.join(root, "package.json"));
const TOOLS = ["forge", "anvil", "cast"];
const ARCHITECTURE = { x64: "amd64" }[process.arch] ?? process.arch;
const WANTED = manifest.optionalDependencies["@foundry-rs/forge-linux-amd64"];

/** The binary that npm installed for this platform, or undefined. */
function fromNpm(tool) {
  const name = `@foundry-rs/${tool}-${process.platform}-${ARCHITECTURE}`;
  const file = path.join(root, "node_modules", name, "bin", tool);
  return fs.existsSync(file) ? file : undefined;
}

/** [major, minor, patch] of "forge Version: 1.7.1-..."; undefined if there is no version in the text. */
function parseVersion(text) {
  const match = /(\d+)\.(\d+)\.(\d+)/.exec(text);
  return match ? match.slice(1, 4).map(Number) : undefined;
}

function isAtLeast(found, wanted) {
  for (let i = 0; i < 3; i++) {
    if (found[i] !== wanted[i]) return found[i] > wanted[i];
  }
  return true;
}

/** The first one on PATH that is new enough, or undefined. Links of this script do not count. */
function fromPath(tool) {
  const own = path.join(root, ".tools", "bin");
  for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
    if (folder === "" || path.resolve(folder) === own) continue;
    const file = path.join(folder, tool);
    if (!fs.existsSync(file)) continue;
    const answer = spawnSync(file, ["--version"], { encoding: "utf8" });
    const version = answer.status === 0 ? parseVersion(answer.stdout) : undefined;
    if (version && isAtLeast(version, parseVersion(WANTED))) return file;
  }
  return undefined;
}

function link(target, name) {
  fs.mkdirSync(path.dirname(name), { recursive: true });
  fs.rmSync(name, { force: true });
  fs.symlinkSync(target, name);
}

const missing = [];
for (const tool of TOOLS) {
  const file = fromNpm(tool) ?? fromPath(tool);
  if (file) {
    link(file, path.join(root, ".tools", "bin", tool));
  } else {
    missing.push(tool);
  }
}

const solc = `solc-v${manifest.dependencies.solc}`;
link(path.join("..", "..", "tools", "solc"), path.join(root, ".tools", "solcx", solc));

if (missing.length > 0) {
  process.stderr.write(
    `error: no ${missing.join(", ")} for ${process.platform}/${process.arch} among npm's packages, ` +
      `and none on PATH that is ${WANTED} or newer.\n` +
      "Install Foundry from https://getfoundry.sh and run the command again.\n",
  );
  process.exit(1);
}
