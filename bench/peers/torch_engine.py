"""PyTorch's side of `npm run bench:engine`: one workload of one model in this process, told what to do line by line.

    python torch_engine.py '{"workload": "training", "way": "compiled", "threads": 2, "directory": ..., ...}'

Reads requests as lines of JSON from standard input and answers each with one. Ways: `eager` and `compiled` (one
`torch.compile` of the whole loss or step) run the plain module below, whose queries, keys and values come from one
matrix; `transformers` runs LlamaForCausalLM. Weights come from the checkpoint that the embedded engine wrote.
"""

import json
import math
import resource
import struct
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(data[start:end], dtype=torch.float32).reshape(entry["shape"]).clone()
    return tensors


class Layer(nn.Module):
    def __init__(self, config, tensors, prefix):
        super().__init__()
        self.heads = config["num_attention_heads"]
        self.key_value_heads = config["num_key_value_heads"]
        self.head_size = config["hidden_size"] // self.heads
        self.epsilon = config["rms_norm_eps"]

        def weight(*names):
            return nn.Parameter(torch.cat([tensors[f"{prefix}.{name}.weight"] for name in names]))

        self.attention_norm = weight("input_layernorm")
        self.query_key_value = weight("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
        self.attention_output = weight("self_attn.o_proj")
        self.feed_forward_norm = weight("post_attention_layernorm")
        self.gate = weight("mlp.gate_proj")
        self.up = weight("mlp.up_proj")
        self.down = weight("mlp.down_proj")

    def forward(self, x, cosine, sine, attend):
        rows, length, width = x.shape
        normalized = F.rms_norm(x, (width,), self.attention_norm, self.epsilon)
        projected = F.linear(normalized, self.query_key_value).view(rows, length, -1, self.head_size).transpose(1, 2)
        turned = self.heads + self.key_value_heads
        left, right = projected[:, :turned].chunk(2, -1)
        query_key = torch.cat((left * cosine - right * sine, right * cosine + left * sine), -1)
        query, key = query_key.split([self.heads, self.key_value_heads], 1)
        attended = attend(query, key, projected[:, turned:])
        x = x + F.linear(attended.transpose(1, 2).reshape(rows, length, -1), self.attention_output)
        normalized = F.rms_norm(x, (width,), self.feed_forward_norm, self.epsilon)
        return x + F.linear(F.silu(F.linear(normalized, self.gate)) * F.linear(normalized, self.up), self.down)


class Llama(nn.Module):
    def __init__(self, directory):
        super().__init__()
        with open(f"{directory}/config.json") as file:
            self.config = config = json.load(file)
        tensors = read_safetensors(f"{directory}/model.safetensors")
        self.embedding = nn.Parameter(tensors["model.embed_tokens.weight"])
        self.layers = nn.ModuleList(
            Layer(config, tensors, f"model.layers.{index}") for index in range(config["num_hidden_layers"])
        )
        self.final_norm = nn.Parameter(tensors["model.norm.weight"])
        self.shared_heads = config["num_attention_heads"] != config["num_key_value_heads"]
        size = config["hidden_size"] // config["num_attention_heads"]
        theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
        frequencies = theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
        angles = torch.arange(config["max_position_embeddings"], dtype=torch.float64)[:, None] * frequencies
        self.register_buffer("cosine", angles.cos().float())
        self.register_buffer("sine", angles.sin().float())

    def logits(self, tokens, positions, attend_of_layer):
        """`positions` is a slice or a tensor of places; `attend_of_layer(index)` makes attention of q, k and v."""
        x = F.embedding(tokens, self.embedding)
        for index, layer in enumerate(self.layers):
            x = layer(x, self.cosine[positions], self.sine[positions], attend_of_layer(index))
        x = F.rms_norm(x, (x.shape[-1],), self.final_norm, self.config["rms_norm_eps"])
        return F.linear(x, self.embedding)

    def causal(self, _index):
        return lambda query, key, value: F.scaled_dot_product_attention(
            query, key, value, is_causal=True, enable_gqa=self.shared_heads
        )

    def forward(self, tokens):
        return self.logits(tokens, slice(0, tokens.shape[1]), self.causal)


def open_model(spec):
    if spec["way"] != "transformers":
        return Llama(spec["directory"])
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(spec["directory"], dtype=torch.float32, attn_implementation="sdpa")


def compiled(function, spec):
    return torch.compile(function, dynamic=False) if spec["way"] == "compiled" else function


def losses_of(model, spec):
    """−log p of every next token, [rows, T], as one function of tokens [rows, T + 1]."""

    def losses(tokens):
        output = model(tokens[:, :-1])
        logits = output if torch.is_tensor(output) else output.logits
        targets = tokens[:, 1:]
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)

    return compiled(losses, spec)


class Training:
    def __init__(self, spec):
        self.model = open_model(spec)
        self.losses = losses_of(self.model, spec)
        self.tokens = torch.tensor(spec["batch"])
        adamw = spec["adamw"]
        self.norm = adamw["maxGradientNorm"]
        parameters = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in parameters if p.ndim > 1], "weight_decay": adamw["weightDecay"]},
                {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
            ],
            lr=adamw["learningRate"],
            betas=(adamw["beta1"], adamw["beta2"]),
            eps=adamw["epsilon"],
            fused=True,
        )

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.losses(self.tokens).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.norm)
        self.optimizer.step()
        return loss.item()

    def check(self, request):
        return [self.step() for _ in range(request["steps"])]

    def unit(self, _item):
        self.step()
        return self.tokens[:, 1:].numel()


class Scoring:
    def __init__(self, spec):
        self.losses = losses_of(open_model(spec), spec)
        self.tokens = torch.tensor(spec["batch"])

    @torch.inference_mode()
    def check(self, _request):
        return (-self.losses(self.tokens)).flatten().tolist()

    @torch.inference_mode()
    def unit(self, _item):
        return self.losses(self.tokens).numel()


class Sampling:
    """
    Decoding with a static cache; the prompt is computed once and its keys and values are copied to every row. Eager
    steps look at the part of the cache in use; a compiled one at all of it, under a mask, so that one program serves.
    """

    def __init__(self, spec):
        self.spec = spec
        self.model = Llama(spec["directory"])
        config = self.model.config
        self.rows = spec["samples"]
        self.length = len(spec["prompt"]) + spec["newTokens"]
        size = config["hidden_size"] // config["num_attention_heads"]
        shape = (self.rows, config["num_key_value_heads"], self.length, size)
        # Tensors of their own: a compiled step copies the whole of a tensor of which it changes a part.
        self.cache = [(torch.zeros(shape), torch.zeros(shape)) for _ in range(config["num_hidden_layers"])]
        self.attention = self.fused_attention
        self.choose_attention = spec["way"] == "eager" and not self.model.shared_heads
        self.masked_step = compiled(self.step_under_mask, spec)

    def fused_attention(self, query, key, value, mask=None):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=self.model.shared_heads)

    def two_products(self, query, key, value):
        scores = query @ key.transpose(-1, -2) * (1 / math.sqrt(query.shape[-1]))
        return scores.softmax(-1) @ value

    def prefill(self, prompt):
        end = prompt.shape[0]

        def attend_of_layer(index):
            def attend(query, key, value):
                keys, values = self.cache[index]
                keys[:, :, :end] = key
                values[:, :, :end] = value
                return self.model.causal(index)(query, key, value)

            return attend

        return self.model.logits(prompt[None], slice(0, end), attend_of_layer)

    def step_of_slice(self, tokens, position):
        def attend_of_layer(index):
            def attend(query, key, value):
                keys, values = self.cache[index]
                keys[:, :, position : position + 1] = key
                values[:, :, position : position + 1] = value
                return self.attention(query, keys[:, :, : position + 1], values[:, :, : position + 1])

            return attend

        logits = self.model.logits(tokens, slice(position, position + 1), attend_of_layer)
        return logits[:, 0].log_softmax(-1)

    def step_under_mask(self, tokens, position):
        """`position` is a tensor of one place."""
        mask = torch.arange(self.length) <= position

        def attend_of_layer(index):
            def attend(query, key, value):
                keys, values = self.cache[index]
                keys.index_copy_(2, position, key)
                values.index_copy_(2, position, value)
                return self.fused_attention(query, keys, values, mask[None, None, None])

            return attend

        return self.model.logits(tokens, position, attend_of_layer)[:, 0].log_softmax(-1)

    def step(self, tokens, position):
        if self.spec["way"] == "compiled":
            return self.masked_step(tokens, torch.tensor([position]))
        return self.step_of_slice(tokens, position)

    @torch.inference_mode()
    def check(self, request):
        """log p of given tokens, decoded one by one in every row."""
        prompt, given = torch.tensor(self.spec["prompt"]), request["tokens"]
        self.prefill(prompt[:-1])
        previous, values = prompt[-1].item(), []
        for offset, token in enumerate(given):
            column = torch.full((self.rows, 1), previous)
            values.append(self.step(column, len(prompt) - 1 + offset)[-1, token].item())
            previous = token
        return values

    @torch.inference_mode()
    def sample(self):
        prompt = torch.tensor(self.spec["prompt"])
        self.prefill(prompt[:-1])
        tokens = prompt[-1:].expand(self.rows, 1)
        sampled, logprobs = [], []
        for offset in range(self.spec["newTokens"]):
            row = self.step(tokens, len(prompt) - 1 + offset)
            tokens = torch.multinomial(row.exp(), 1)
            logprobs.append(row.gather(1, tokens))
            sampled.append(tokens)
        return torch.cat(sampled, 1), torch.cat(logprobs, 1)

    def unit(self, _item):
        if self.choose_attention:
            self.choose_attention = False
            seconds = {}
            for attention in (self.fused_attention, self.two_products):
                self.attention = attention
                self.sample()
                started = time.perf_counter()
                self.sample()
                seconds[attention] = time.perf_counter() - started
            self.attention = min(seconds, key=seconds.get)
        return self.sample()[0].numel()


class Products:
    """Matrix products of given shapes; as many different left matrices as the other side takes."""

    def __init__(self, spec):
        self.spec = spec
        self.operands = {}

    @torch.inference_mode()
    def unit(self, item):
        shape = self.spec["products"][item]
        rows, inner, columns = shape["rows"], shape["inner"], shape["columns"]
        if item not in self.operands:
            self.operands.clear()
            lefts = torch.randn(self.spec["copies"], *((inner, rows) if shape["transposeLeft"] else (rows, inner)))
            right = torch.randn(*((columns, inner) if shape["transposeRight"] else (inner, columns)))
            self.operands[item] = lefts, right, torch.empty(rows, columns)
        lefts, right, out = self.operands[item]
        right = right.t() if shape["transposeRight"] else right
        for left in lefts:
            torch.mm(left.t() if shape["transposeLeft"] else left, right, out=out)
        return 2 * rows * inner * columns * len(lefts)


WORKLOADS = {"training": Training, "scoring": Scoring, "sampling": Sampling, "products": Products}


def turn(workload, request):
    amount, started = 0, time.perf_counter()
    while True:
        amount += workload.unit(request.get("item"))
        seconds = time.perf_counter() - started
        if seconds >= request["seconds"]:
            return {"amount": amount, "seconds": seconds}


def peak_bytes():
    """Linux counts what the parent had resident when it forked as this process's own, but not in its high-water mark."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def main():
    spec = json.loads(sys.argv[1])
    if "data" in spec:
        with open(spec["data"]) as file:
            spec.update(json.load(file))
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(0)
    workload = WORKLOADS[spec["workload"]](spec)
    say({"ready": True, "version": torch.__version__})
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "check":
            say({"values": workload.check(request)})
        elif request["do"] == "turn":
            say(turn(workload, request))
        elif request["do"] == "burden":
            say({"peakBytes": peak_bytes()})


def say(answer):
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # told to the bench, which goes on without this way
        say({"error": f"{type(error).__name__}: {error}"[:2000]})
        raise SystemExit(1) from error
