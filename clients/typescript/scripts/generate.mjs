// Makes src/generated.ts from what the server promises: docs/protocol.schema.json (types) and the tables of
// docs/protocol.md (codes, close codes, methods), both of which the server's own tests hold against its code.
//
//   npm run generate          writes the file
//
// A generator of our own, since the schema uses a small part of JSON Schema and the packages for the whole of it bring
// a formatter and a dozen others along. Promise: a keyword that it does not know is an error, never left out in silence.

import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const DOCS = new URL("../../../docs/", import.meta.url);
const TARGET = new URL("../src/generated.ts", import.meta.url);
/** What narrows a value and has no counterpart among types. */
const NARROWING = ["format", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "default"];
const KNOWN = ["description", "type", "properties", "required", "additionalProperties", "oneOf", "anyOf", "$ref", "const",
  "items", "prefixItems", ...NARROWING];
const PLAIN = { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" };

/** The whole text of src/generated.ts. */
export function generate() {
  const schema = JSON.parse(readFileSync(new URL("protocol.schema.json", DOCS), "utf8"));
  const page = readFileSync(new URL("protocol.md", DOCS), "utf8");
  const types = Object.entries(schema.$defs).map(([name, def]) => named(name, def));
  return [
    "// What goes over the wire, generated from docs/protocol.schema.json and docs/protocol.md by scripts/generate.mjs:",
    "// do not edit, run `npm run generate`. Promise: a test fails when this file is not what the documents say.",
    "", ...types,
    table("REFUSALS", "Every refusal of the server by its code: its name, and whether the same call may succeed later.",
      rows(page, /^\| (\d+) \| `(\w+)` \| (yes|no) \| (.*) \|$/gm)
        .map(([code, name, temporary, meaning]) => `${doc(meaning, "  ")}  ${code}: { name: "${name}", temporary: ${temporary === "yes"} },`)),
    table("CLOSES", "Every code with which the server closes a connection, and whether to come back after it.",
      rows(page, /^\| (\d+) \| ([a-z0-9 -]+) \| (yes|no) \| (.*) \|$/gm)
        .map(([code, reason, back, meaning]) => `${doc(meaning, "  ")}  ${code}: { reason: "${reason}", comeBack: ${back === "yes"} },`)),
    `${doc("Every method of the server.", "")}export const METHODS = ${list(methods(page))} as const;\n`,
    `${doc("Every type of notice.", "")}export const NOTICES = ${list(notices(schema))} as const;`,
    "",
  ].join("\n");
}

function rows(page, pattern) {
  const found = [...page.matchAll(pattern)].map(([, ...cells]) => cells);
  if (found.length < 10) throw new Error(`docs/protocol.md: a table has only ${found.length} rows that fit ${pattern}`);
  return found;
}

function methods(page) {
  const begin = page.indexOf("## Methods");
  const part = page.slice(begin, page.indexOf("\n### ", begin));
  return rows(part, /^\| `([a-z.]+)` \| .*$/gm).map(([name]) => name);
}

function notices(schema) {
  return schema.$defs.Notice.oneOf.map((one) => one.properties.type.const);
}

function list(names) {
  return `[\n${names.map((name) => `  "${name}",\n`).join("")}]`;
}

function table(name, sentence, lines) {
  return `${doc(sentence, "")}export const ${name} = {\n${lines.join("\n")}\n} as const;\n`;
}

function named(name, def) {
  return `${doc(def.description ?? `${name}.`, "")}export type ${name} = ${type(def, "")};\n`.replace("= \n", "=\n");
}

/** A schema as a type. */
function type(schema, indent) {
  if (schema === true) return "unknown";
  const strange = Object.keys(schema).filter((key) => !KNOWN.includes(key));
  if (strange.length > 0) throw new Error(`docs/protocol.schema.json: scripts/generate.mjs does not know ${strange}`);
  if (schema.$ref) return schema.$ref.replace("#/$defs/", "");
  if ("const" in schema) return JSON.stringify(schema.const);
  // A choice with fields beside it: each alternative has those fields too.
  const shared = schema.properties ? { properties: schema.properties, required: schema.required ?? [] } : null;
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice && !shared && !choice.some((one) => one.description)) return choice.map((one) => type(one, indent)).join(" | ");
  if (choice) return choice.map((one) => alternative(one, shared, indent)).join("");
  if (Array.isArray(schema.type)) return schema.type.map((one) => type({ ...schema, type: one }, indent)).join(" | ");
  if (schema.type === "object") return object(schema, indent);
  if (schema.prefixItems) return `[${schema.prefixItems.map((item) => type(item, indent)).join(", ")}]`;
  if (schema.type === "array") return `Array<${type(schema.items, indent)}>`;
  if (schema.type === undefined) return "unknown";
  if (!PLAIN[schema.type]) throw new Error(`docs/protocol.schema.json: the type ${schema.type} is not known`);
  return PLAIN[schema.type];
}

function alternative(one, shared, indent) {
  return `\n${doc(one.description, `${indent}  `)}${indent}  | ${type(shared ? merged(one, shared) : one, `${indent}  `)}`;
}

function merged(one, shared) {
  const properties = { ...one.properties, ...shared.properties };
  return { ...one, properties, required: [...(one.required ?? []), ...shared.required] };
}

function object({ properties = {}, required = [] }, indent) {
  if (Object.keys(properties).length === 0) return "Record<string, never>";
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, field]) =>
    `${doc(field.description, inner)}${inner}${/^\w+$/.test(name) ? name : `"${name}"`}${required.includes(name) ? "" : "?"}: ${type(field, inner).trim()};`);
  return `{\n${fields.join("\n")}\n${indent}}`;
}

function doc(text, indent) {
  return text ? `${indent}/** ${text.replaceAll("*/", "* /").replace(/\[`(\w+)`\]/g, "`$1`").trim()} */\n` : "";
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) writeFileSync(TARGET, generate());
