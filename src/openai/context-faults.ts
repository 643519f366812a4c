/** How servers say that a conversation is too long, in each one's words. */

/** Conversation and new tokens together exceed the context; `room` tokens are left, `null` where it is not said. */
export interface ContextFault {
  readonly kind: "context";
  readonly room: number | null;
  readonly text: string;
}

/** Each with a server that says so; several say what others do. */
const contextTexts: readonly RegExp[] = [
  // OpenAI, Groq, Cerebras, `mucode serve`; their older and newer words.
  /context_length_exceeded/i,
  /reduce the length of the (?:messages|prompt|input)/i,
  /exceeds? the context window/i,
  /input tokens exceed/i,
  // vLLM, OpenRouter, DeepSeek.
  /maximum context length|maximum model length|model'?s context length/i,
  // SGLang.
  /exceeds? the maximum allowed length/i,
  // llama.cpp, and its fields.
  /available context size|exceed_context_size/i,
  // LM Studio.
  /context (?:size|length|window) (?:has been |is )?exceeded|context length of only|greater than the context length/i,
  // Ollama.
  /prompt too long|exceeds? (?:the )?(?:max(?:imum)? )?context (?:size|length|window|limit)/i,
  // text-generation-inference, together.ai.
  /max_new_tokens[`'"\\]* must be <=|inputs[`'"\\]* must have less than \d+ tokens/i,
  // Anthropic, Fireworks, Bedrock.
  /(?:prompt|input) is too long/i,
  // Gemini.
  /input token count .{0,40}exceeds the maximum/i,
  // xAI.
  /maximum prompt length is \d+/i,
  // Mistral.
  /too large for model with \d+ maximum context/i,
  // Cohere, MiniMax, Moonshot, LiteLLM.
  /too many (?:input )?tokens: |context window exceeds limit|exceeded model token limit|ContextWindowExceeded/i,
];

/** `null` for a text that says something else. */
export function contextFault(text: string): ContextFault | null {
  return contextTexts.some((words) => words.test(text)) ? { kind: "context", room: roomLeft(text), text } : null;
}

/** Tokens left for the answer: 0 where the conversation alone fills the context, `null` where the text does not say. */
function roomLeft(text: string): number | null {
  const contextLength = firstNumber(text, [
    /context length (?:is|of)(?: only)? (\d+)/i,
    /(?:context|maximum allowed|maximum model) (?:length|size)(?: of the model)? \(?(?:of )?(\d+) tokens/i,
    /maximum model length of (\d+)/i,
    /"n_ctx":\s*(\d+)/,
    /(?:must be <=|maximum prompt length is|must have less than) (\d+)/i,
    /tokens > (\d+) maximum/i,
    /maximum number of tokens allowed \((\d+)\)/i,
  ]);
  const promptLength = firstNumber(text, [
    /(\d+) (?:tokens )?(?:in|from) the (?:input )?(?:messages|prompt)/i,
    /(?:request has|passed) (\d+) input tokens/i,
    /the first (\d+) tokens/i,
    /(?:messages|prompt|input) (?:resulted in|contains|has) (\d+) (?:input )?tokens/i,
    /"n_prompt_tokens":\s*(\d+)/,
    /(\d+) [`'"\\]*inputs[`'"\\]* tokens/i,
    /(?:is too long: |\()(\d+) (?:tokens >|of text input)/i,
    /request contains (\d+) tokens/i,
    /input token count \((\d+)\)/i,
    /(?:input|request|prompt)(?: length)? \((?:length )?(\d+)(?: tokens)?\)/i,
  ]);
  if (contextLength === null || promptLength === null) return null;
  return Math.max(0, contextLength - promptLength);
}

function firstNumber(text: string, patterns: readonly RegExp[]): number | null {
  for (const pattern of patterns) {
    const digits = pattern.exec(text)?.[1];
    if (digits !== undefined) return Number(digits);
  }
  return null;
}
