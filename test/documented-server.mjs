#!/usr/bin/env node
/**
 * A server that takes the command line and answers the requests of vLLM and SGLang as their documentation has it, for
 * what the manager of served models does with them: neither can be installed wherever the tests run. Its texts and
 * scores are functions of what is asked. `MISHAP` makes it misbehave.
 */
import { createServer } from "node:http";

const words = process.argv.slice(2);
/** @param {string} name */
const option = (name) => words[words.indexOf(name) + 1];
const mishap = process.env.MISHAP ?? "";
const isSglang = words[0] === "-m";
const classifies = words.includes("--runner") ? option("--runner") === "pooling" : words.includes("--is-embedding");
const model = words.includes("--served-model-name")
  ? option("--served-model-name")
  : option("--lora-modules").split("=")[0];

process.stdout.write(`command: ${words.join(" ")}\n`);
process.stdout.write(`devices: ${process.env.CUDA_VISIBLE_DEVICES ?? "all"}\n`);
if (mishap === "exits") {
  process.stderr.write("torch.OutOfMemoryError: CUDA out of memory.\n");
  process.exit(3);
}

/** A logit that differs from text to text. @param {number[]} tokens */
const score = (tokens) => tokens.reduce((sum, token) => (sum * 31 + token) % 1009, 7) / 100 - 5;
/** @param {number} x */
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
let answered = 0;

/** @type {Record<string, (body: any) => object>} */
const answers = {
  "GET /health": () => ({}),
  "GET /v1/models": () => ({ object: "list", data: [{ id: model, object: "model" }] }),
  "POST /v1/chat/completions": (body) => {
    if (mishap === "dies" && ++answered > 3) process.kill(process.pid, "SIGKILL");
    return {
      model,
      choices: Array.from({ length: body.n ?? 1 }, (_, index) => ({
        index,
        finish_reason: "stop",
        message: { role: "assistant", content: `text ${body.seed + index} by ${process.pid}` },
        logprobs: body.logprobs
          ? {
              content: [
                {
                  top_logprobs: [
                    { token: "yes", logprob: -0.1 },
                    { token: "no", logprob: -2.4 },
                  ],
                },
              ],
            }
          : null,
      })),
      usage: { prompt_tokens: 5, completion_tokens: 3 },
    };
  },
  "POST /classify": (body) => {
    if (!classifies) throw new Error("not a classification model");
    if (isSglang)
      return body.input_ids.map((/** @type {number[]} */ tokens) => ({ embedding: [score(tokens)], meta_info: {} }));
    const activation = mishap === "always-activated" || body.use_activation !== false;
    return {
      object: "list",
      data: body.input.map((/** @type {number[]} */ tokens, /** @type {number} */ index) => ({
        index,
        label: "LABEL_0",
        probs: [activation ? sigmoid(score(tokens)) : score(tokens)],
        num_classes: 1,
      })),
    };
  },
};

const server = createServer((request, response) => {
  let text = "";
  request.on("data", (part) => (text += part));
  request.on("end", () => {
    const name = `${request.method} ${request.url}`;
    if (mishap === "never-healthy") return response.writeHead(503).end();
    if (mishap === "hangs" && request.method === "POST") return void process.stdout.write("hanging\n");
    const answer = answers[name];
    if (answer === undefined) return response.writeHead(404).end(JSON.stringify({ detail: "Not Found" }));
    try {
      const body = JSON.stringify(answer(text === "" ? {} : JSON.parse(text)));
      return response.writeHead(200, { "content-type": "application/json" }).end(body);
    } catch (error) {
      return response.writeHead(400).end(JSON.stringify({ message: String(error) }));
    }
  });
});
server.listen({ host: option("--host"), port: Number(option("--port")) });
process.on("SIGTERM", () => {
  process.stdout.write("stopping\n");
  process.exit(0);
});
