/** The routes: OpenAI's endpoints for one model, and the classification endpoint for one of scores. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { createGuard } from "./admission.ts";
import type { AppOptions } from "./app-options.ts";
import { answer, assertModel } from "./answer.ts";
import { ApiError, toApiError } from "./api-error.ts";
import { chatEndpoint } from "./chat-endpoint.ts";
import { classify } from "./classify-endpoint.ts";
import { completionEndpoint } from "./completion-endpoint.ts";

export function createApp(options: AppOptions): Hono {
  const { name, admission, maxBodyBytes } = options;
  const createdSeconds = Math.floor(Date.now() / 1000);
  const described = { id: name, object: "model", created: createdSeconds, owned_by: "mucode" };
  const guard = createGuard(options.apiKey);
  const app = new Hono();

  app.onError((error) => toApiError(error, options.onError).toResponse());
  app.notFound(({ req }) => {
    const method = Object.entries(METHODS).find(([path]) => path === req.path)?.[1];
    const error =
      method === undefined
        ? new ApiError(404, `nothing is at ${req.path}`, { code: "unknown_url" })
        : new ApiError(405, `${req.path} takes ${method}`, { code: "method_not_allowed" });
    return error.toResponse();
  });
  app.get("/health", (context) => {
    admission.assertOpen();
    return context.json({ status: "ok", model: name });
  });
  for (const guarded of ["/v1/*", "/classify"]) {
    app.use(guarded, async ({ req }, next) => {
      guard(req.raw.headers);
      await next();
    });
  }
  app.get("/v1/models", (context) => context.json({ object: "list", data: [described] }));
  app.get("/v1/models/:id{.+}", (context) => {
    assertModel(context.req.param("id"), name);
    return context.json(described);
  });
  const limit = bodyLimit({
    maxSize: maxBodyBytes,
    onError: () => {
      throw new ApiError(413, `the body is larger than ${maxBodyBytes} bytes`, { code: "body_too_large" });
    },
  });
  app.post("/v1/chat/completions", limit, async ({ req }) => answer(req.raw, chatEndpoint, options));
  app.post("/v1/completions", limit, async ({ req }) => answer(req.raw, completionEndpoint, options));
  app.post("/classify", limit, async ({ req }) => classify(req.raw, options));
  return app;
}

const METHODS: Readonly<Record<string, string>> = {
  "/health": "GET",
  "/v1/models": "GET",
  "/v1/chat/completions": "POST",
  "/v1/completions": "POST",
  "/classify": "POST",
};
