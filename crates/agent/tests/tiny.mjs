// A coding agent of a page, for tests: Chat Completions, one tool, its conversation kept in its home.
// tiny.mjs first|next [PROMPT]; without a prompt it reads it from its standard input.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const [way, word] = process.argv.slice(2);
const { HOME, MODE, URL, KEY, MODEL } = process.env;
const kept = `${HOME}/conversation.json`;
const messages = way === "next" ? JSON.parse(readFileSync(kept)) : [];
const parameters = { type: "object", properties: { command: { type: "string" } } };
const tools = [{ type: "function", function: { name: "bash", parameters } }];

async function ask() {
  const body = JSON.stringify({ model: MODEL, stream: true, messages, tools });
  const headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
  const reply = await fetch(`${URL}/chat/completions`, { method: "POST", headers, body });
  if (!reply.ok) throw new Error(`status ${reply.status}: ${await reply.text()}`);
  const message = { role: "assistant", content: "", tool_calls: [] };
  let finish;
  for (const line of (await reply.text()).split("\n")) {
    if (!line.startsWith("data: {")) continue;
    const choice = JSON.parse(line.slice(6)).choices[0];
    if (!choice) continue;
    message.content += choice.delta.content ?? "";
    message.tool_calls.push(...(choice.delta.tool_calls ?? []));
    finish = choice.finish_reason ?? finish;
  }
  if (!finish) throw new Error("half an answer");
  if (message.tool_calls.length === 0) delete message.tool_calls;
  return message;
}

async function work() {
  messages.push({ role: "user", content: word ?? readFileSync(0, "utf8") });
  for (;;) {
    const message = await ask();
    messages.push(message);
    console.log(message.content);
    if (!message.tool_calls) break;
    for (const call of message.tool_calls) {
      const { command } = JSON.parse(call.function.arguments);
      const ran = spawnSync("/bin/sh", ["-c", command], { encoding: "utf8" });
      messages.push({ role: "tool", tool_call_id: call.id, content: ran.stdout + ran.stderr });
    }
  }
  writeFileSync(kept, JSON.stringify(messages));
}

if (MODE !== "mute") {
  try {
    await work();
  } catch (error) {
    console.error(String(error));
    process.exitCode = MODE === "deaf" ? 0 : 1;
  }
}
