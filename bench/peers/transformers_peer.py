"""The side of Hugging Face `transformers` and PEFT of check-transformers.mjs, which runs it.

    python transformers_peer.py write DIRECTORY    random models and adapters of every kind supported, and what transformers
                                                   and PEFT make of them
    python transformers_peer.py check DIRECTORY    opens what the engine wrote of them, and compares

Models are small: shapes differ in whatever can be mixed up (heads, widths, ties), and weights are large enough for every
part to matter.
"""

import json
import os
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    logging,
)

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXTS = [
    "def add_12345(xs):\n    return [x + 1 for x in xs]\n",
    "It'S they'LL, I'm\u00a0x'\u017f \ufeffif\u0085b\r\n\t\treturn  y\u00b2\n\n\n   ",
    "re\u0301sume\u0301 \u212b \u1e9b\u0323 \uac00\u11a8 h\u00e9llo \u2603 \U0001f600\U0001f3fd \u0e01\u0e33 12\u0663\u00bd",
    "# '\"{}[]()*+?|\\^$. a_b __x  \t ",
    "",
]
CONVERSATION = [
    {"role": "user", "content": "  Write a function that adds 12 numbers.\n\n"},
    {"role": "assistant", "content": "def add(xs):\n    return sum(xs)"},
    {"role": "user", "content": "failed: assert add([]) == 0\n"},
]
HEADERS = {
    "llama3": (
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"],
        "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' }}"
        "{{ m.content | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    ),
    "qwen": (
        ["<|endoftext|>", "<|im_start|>", "<|eot|>", "<|im_end|>", "<|tool|>"],
        "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}",
    ),
}


def make_tokenizer(kind):
    tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
    if kind == "qwen":
        tokenizer.normalizer = normalizers.NFC()
    pattern = SPLIT.replace("DIGITS", r"\p{N}{1,3}" if kind == "llama3" else r"\p{N}")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    controls, template = HEADERS[kind]
    trainer = trainers.BpeTrainer(
        vocab_size=380,
        special_tokens=controls,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=controls[0], eos_token=controls[3])
    fast.chat_template = template
    return fast


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
QWEN3 = dict(head_dim=24)
BIASES = dict(attention_bias=True, mlp_bias=True)
OLD = "{% for m in messages %}OLD {{ m.content }}{% endfor %}"
SPACED = (
    "{% for m in messages %}{{ ' <|start_header_id|> ' + m.role + ' <|end_header_id|>\n' }}"
    "{{ m.content + '\n <|eot_id|> \n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|> assistant <|end_header_id|>\n' }}{% endif %}"
)
THOUGHTLESS = (
    "{% for m in messages %}{% set content = m.content %}{% if m.role == 'assistant' and '</think>' in content %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + content + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
THOUGHTS = [
    {"role": "user", "content": "Add. </think>"},
    {"role": "assistant", "content": "<think>\nA sum.\n</think>\n\nreturn sum(xs) "},
    {"role": "user", "content": "No."},
]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + 64 * "0" + "\nsize 100000\n"
TEMPLATE = HEADERS["llama3"][1]


def configured(template, **files):
    """The template in tokenizer_config.json, and no file of its own but those named."""
    return dict(files={"chat_template.jinja": None, "tokenizer_config.json": dict(chat_template=template), **files})


def flagged(**flags):
    """Flags for all added tokens."""
    return lambda json: {**json, "added_tokens": [{**token, **flags} for token in json["added_tokens"]]}


def normalized(*steps):
    return {"tokenizer.json": lambda json: {**json, "normalizer": {"type": "Sequence", "normalizers": list(steps)}}}


# What else the files of a checkpoint can say: how they are changed, and what refuses them where they are not read.
MEANINGS = {
    "template of its file before tokenizer_config.json": dict(
        files={"tokenizer_config.json": dict(chat_template=OLD), "chat_template.json": dict(chat_template=OLD)}
    ),
    "template of tokenizer_config.json before chat_template.json": configured(
        TEMPLATE, **{"chat_template.json": dict(chat_template=OLD)}
    ),
    "template of a list": configured([dict(name="rag", template=OLD), dict(name="default", template=TEMPLATE)]),
    "template of a folder": configured(
        OLD,
        **{"additional_chat_templates/default.jinja": TEMPLATE, "additional_chat_templates/tool_use.jinja": OLD},
    ),
    "template without past thoughts": dict(files={"chat_template.jinja": THOUGHTLESS}, conversation=THOUGHTS),
    "template that changes contents": dict(
        files={"chat_template.jinja": TEMPLATE.replace("| trim", "| tojson")}, refused="chat_template changes"
    ),
    "added tokens with lstrip and rstrip": dict(
        files={"chat_template.jinja": SPACED, "tokenizer.json": flagged(lstrip=True, rstrip=True)}
    ),
    "added tokens with rstrip": dict(files={"chat_template.jinja": SPACED, "tokenizer.json": flagged(rstrip=True)}),
    "added tokens with single_word": dict(files={"tokenizer.json": flagged(single_word=True)}, refused="single_word"),
    "first token of special_tokens_map.json": dict(
        files={
            "special_tokens_map.json": dict(bos_token=dict(content="<|end_header_id|>", lstrip=False, rstrip=False)),
            "chat_template.jinja": "{{ bos_token }}" + TEMPLATE,
        }
    ),
    "no end token but the model's": dict(files={"tokenizer_config.json": dict(eos_token=None)}),
    "normalizer of nothing": dict(files=normalized()),
    "normalizer in sequences": dict(files=normalized({"type": "Sequence", "normalizers": [{"type": "NFC"}]})),
    "normalizer that is another": dict(files=normalized({"type": "Lowercase"}), refused="normalizer"),
    "head that is tied and differs": dict(files={"config.json": dict(tie_word_embeddings=True)}, refused="lm_head"),
    "Git LFS pointer": dict(files={"model.safetensors": POINTER}, refused="Git LFS pointer"),
}
# name: configuration class, tokenizer, what is special about it, how it is written
CASES = {
    "llama, untied": (LlamaConfig, "llama3", {}, {}),
    "llama, tied": (LlamaConfig, "llama3", dict(tie_word_embeddings=True), {}),
    "llama, all biases": (LlamaConfig, "llama3", BIASES, {}),
    "llama, wide heads": (LlamaConfig, "llama3", dict(head_dim=20), {}),
    "llama 3.1 positions": (LlamaConfig, "llama3", dict(rope_parameters=LLAMA3), {}),
    "llama 3.1 positions, tied, sharded": (
        LlamaConfig,
        "llama3",
        dict(rope_parameters=LLAMA3, tie_word_embeddings=True),
        dict(shards="60KB"),
    ),
    "llama, f16": (LlamaConfig, "llama3", {}, dict(dtype=torch.float16)),
    "llama, bf16, sharded": (LlamaConfig, "llama3", {}, dict(dtype=torch.bfloat16, shards="40KB")),
    "llama, score": (LlamaConfig, "llama3", {}, dict(score=True)),
    "mistral": (MistralConfig, "llama3", dict(sliding_window=None), {}),
    "mistral, tied, bf16": (
        MistralConfig,
        "llama3",
        dict(sliding_window=None, tie_word_embeddings=True),
        dict(dtype=torch.bfloat16),
    ),
    "mistral, score": (MistralConfig, "llama3", dict(sliding_window=None), dict(score=True)),
    "qwen2, untied": (Qwen2Config, "qwen", {}, {}),
    "qwen2, tied": (Qwen2Config, "qwen", dict(tie_word_embeddings=True), {}),
    "qwen2, f16, sharded": (Qwen2Config, "qwen", {}, dict(dtype=torch.float16, shards="60KB")),
    "qwen2, bf16": (Qwen2Config, "qwen", {}, dict(dtype=torch.bfloat16)),
    "qwen2, score": (Qwen2Config, "qwen", {}, dict(score=True)),
    "qwen3, untied": (Qwen3Config, "qwen", QWEN3, {}),
    "qwen3, tied": (Qwen3Config, "qwen", dict(tie_word_embeddings=True, **QWEN3), {}),
    "qwen3, biases": (Qwen3Config, "qwen", dict(attention_bias=True, **QWEN3), {}),
    "qwen3, f16": (Qwen3Config, "qwen", QWEN3, dict(dtype=torch.float16)),
    "qwen3, tied, bf16, sharded": (
        Qwen3Config,
        "qwen",
        dict(tie_word_embeddings=True, **QWEN3),
        dict(dtype=torch.bfloat16, shards="60KB"),
    ),
    "qwen3, score": (Qwen3Config, "qwen", QWEN3, dict(score=True)),
    **{name: (LlamaConfig, "llama3", {}, how) for name, how in MEANINGS.items()},
}


LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# name: base model, settings of the adapter, what else
ADAPTERS = {
    "llama, tied: PEFT's own choice of matrices": ("llama, tied", dict(r=4, lora_alpha=8), {}),
    "llama, all biases: o and down": (
        "llama, all biases",
        dict(r=5, lora_alpha=5, target_modules=["o_proj", "down_proj"]),
        {},
    ),
    "llama 3.1 positions, sharded: all": (
        "llama 3.1 positions, tied, sharded",
        dict(r=2, lora_alpha=4, target_modules=LINEAR),
        {},
    ),
    "qwen2: all-linear, rank-stabilized": (
        "qwen2, untied",
        dict(r=3, lora_alpha=4, target_modules="all-linear", use_rslora=True),
        {},
    ),
    "qwen3: one layer, in bf16": (
        "qwen3, tied",
        dict(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj", "up_proj"], layers_to_transform=[1]),
        dict(dtype=torch.bfloat16),
    ),
    "llama, tied: a pattern of modules, without one layer": (
        "llama, tied",
        dict(r=2, lora_alpha=4, target_modules=r".*\.(q|up)_proj", exclude_modules=r".*layers\.1\..*"),
        {},
    ),
    "llama, tied: begun gaussian": ("llama, tied", dict(r=2, lora_alpha=4, init_lora_weights="gaussian"), {}),
    "llama, untied: begun as PiSSA, saved without": (
        "llama, untied",
        dict(r=2, lora_alpha=4, init_lora_weights="pissa"),
        dict(converted=True),
    ),
    "begun as PiSSA": ("llama, untied", dict(r=2, init_lora_weights="pissa"), dict(refused="init_lora_weights")),
    "begun as OLoRA": ("llama, untied", dict(r=2, init_lora_weights="olora"), dict(refused="init_lora_weights")),
    "ranks by pattern": ("llama, untied", dict(r=2, rank_pattern={"q_proj": 3}), dict(refused="rank_pattern")),
    "DoRA": ("llama, untied", dict(r=2, use_dora=True), dict(refused="use_dora")),
    "tokens trained": (
        "llama, untied",
        dict(r=2, trainable_token_indices=[5, 6]),
        dict(refused="trainable_token_indices"),
    ),
    "llama with a score head: all": (
        "llama, untied",
        dict(r=4, lora_alpha=8, target_modules=LINEAR, task_type="SEQ_CLS"),
        dict(score=True),
    ),
}


def edit(place, files):
    """Changes files: to a text, by keys of a JSON file or a function of it, or None to take it away."""
    for name, change in files.items():
        path = f"{place}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if change is None:
            os.remove(path)
        elif isinstance(change, str):
            with open(path, "w", encoding="utf-8") as file:
                file.write(change)
        else:
            before = {}
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    before = json.load(file)
            after = change(before) if callable(change) else {**before, **change}
            with open(path, "w", encoding="utf-8") as file:
                json.dump(after, file)


def spread(model, seed):
    """Weights with which every part of the model matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name.endswith("norm.weight"):
            parameter.data = 1 + 0.3 * noise
        elif parameter.dim() == 1:
            parameter.data = 0.4 * noise
        else:
            scale = 0.3 if "embed" in name or "lm_head" in name or "score" in name else parameter.shape[1] ** -0.5
            parameter.data = scale * noise


def load(directory, score):
    cls = AutoModelForSequenceClassification if score else AutoModelForCausalLM
    return cls.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()


def load_adapter(base, directory, score, **options):
    cls = AutoModelForSequenceClassification if score else AutoModelForCausalLM
    labels = dict(num_labels=1) if score else {}
    model = cls.from_pretrained(base, dtype=torch.float32, attn_implementation="eager", **labels)
    return PeftModel.from_pretrained(model, directory, **options).eval()


def values(model, tokens, score):
    """log p of every token but the first, or the score of the whole: what the engine's `forward` gives."""
    ids = torch.tensor([tokens])
    if score:
        return model(ids).logits[0]
    return torch.log_softmax(model(ids).logits[0, :-1], -1).gather(1, ids[0, 1:, None])[:, 0]


def write(directory):
    tokenizers = {kind: make_tokenizer(kind) for kind in HEADERS}
    names = []
    for number, (name, (cls, kind, changes, how)) in enumerate(CASES.items()):
        tokenizer = tokenizers[kind]
        score = how.get("score", False)
        config = cls(
            **{
                **dict(
                    vocab_size=400,
                    hidden_size=64,
                    intermediate_size=88,
                    num_hidden_layers=3,
                    num_attention_heads=4,
                    num_key_value_heads=2,
                    max_position_embeddings=256,
                    rms_norm_eps=1e-5,
                    bos_token_id=0,
                    eos_token_id=tokenizer.eos_token_id,
                    pad_token_id=4,
                ),
                **(dict(num_labels=1) if score else {}),
                **changes,
            }
        )
        make = AutoModelForSequenceClassification if score else AutoModelForCausalLM
        model = make.from_config(config)
        spread(model, number)
        place = f"{directory}/{number}"
        if not score:
            model.generation_config.eos_token_id = [tokenizer.eos_token_id, 4, 1]
        model.to(how.get("dtype", torch.float32)).save_pretrained(place, max_shard_size=how.get("shards", "5GB"))
        tokenizer.save_pretrained(place)
        edit(place, how.get("files", {}))
        names.append(str(number))
        if "refused" in how:
            write_json(f"{place}/peer.json", {"name": name, "refused": how["refused"]})
            continue

        model = load(place, score)
        tokenizer = AutoTokenizer.from_pretrained(place)
        conversation = how.get("conversation", CONVERSATION)
        chat = tokenizer.apply_chat_template(conversation, add_generation_prompt=True, return_dict=False)
        generator = torch.Generator().manual_seed(number)
        # Without the pad token (4): transformers looks for the score before it, and gives its embedding no gradient.
        tokens = chat + (5 + torch.randint(0, 390, (90,), generator=generator)).tolist()
        sample = {
            "name": name,
            "score": score,
            "files": sorted(os.listdir(place)),
            "texts": [[text, tokenizer.encode(text, add_special_tokens=False)] for text in TEXTS],
            "conversation": conversation,
            "chat": chat,
            "tokens": tokens,
        }
        with torch.no_grad():
            sample["values"] = values(model, tokens, score).tolist()
            if not score:
                ids = model.generate(torch.tensor([chat]), max_new_tokens=40, do_sample=False, pad_token_id=4)
                sample["greedy"] = ids[0, len(chat) :].tolist()
        write_json(f"{place}/peer.json", sample)
    write_json(f"{directory}/cases.json", names)
    write_adapters(directory)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


def write_adapters(directory):
    names = []
    for number, (name, (base, settings, how)) in enumerate(ADAPTERS.items()):
        base_place = os.path.abspath(f"{directory}/{list(CASES).index(base)}")
        with open(f"{base_place}/peer.json", encoding="utf-8") as file:
            tokens = json.load(file)["tokens"]
        score = how.get("score", False)
        cls = AutoModelForSequenceClassification if score else AutoModelForCausalLM
        model = cls.from_pretrained(base_place, dtype=torch.float32, **(dict(num_labels=1) if score else {}))
        model = get_peft_model(model, LoraConfig(**{"task_type": "CAUSAL_LM", **settings}))
        case = f"adapter-{number}"
        place = f"{directory}/{case}"
        begun = dict(path_initial_model_for_weight_conversion=f"{place}-begun") if how.get("converted") else {}
        if begun:
            model.peft_config["default"].init_lora_weights = True
            model.save_pretrained(f"{place}-begun")
            model.peft_config["default"].init_lora_weights = settings["init_lora_weights"]
        generator = torch.Generator().manual_seed(number)
        for key, parameter in model.named_parameters():
            if parameter.requires_grad:
                parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
                parameter.data = parameter.data.to(how.get("dtype", torch.float32))
        model.save_pretrained(place, **begun)
        names.append(case)
        if "refused" in how:
            write_json(f"{place}/peer.json", {"name": name, "refused": how["refused"]})
            continue
        config = LoraConfig.from_pretrained(place)
        alpha = config.lora_alpha * (config.r**0.5 if config.use_rslora else 1)
        adapted = [key for key in model.state_dict() if key.endswith(".lora_A.default.weight")]
        targets = [module for module in LINEAR if any(f".{module}." in key for key in adapted)]
        with torch.no_grad():
            given = values(load_adapter(base_place, place, score), tokens, score).tolist()
        sample = {
            "name": name,
            "base": base_place,
            "score": score,
            "lora": {"rank": config.r, "alpha": alpha, "targets": targets, "seed": 0},
            "tokens": tokens,
            "values": given,
        }
        write_json(f"{place}/peer.json", sample)
    write_json(f"{directory}/adapters.json", names)


def check(directory):
    """Ours: saved after one step of training, whose size is the gradient's; see STEP in check-transformers.mjs."""
    results = {}
    for case in json.load(open(f"{directory}/written.json", encoding="utf-8")):
        ours = json.load(open(f"{directory}/{case}-engine/engine.json", encoding="utf-8"))
        place, score, tokens = f"{directory}/{case}-engine", ours["score"], ours["tokens"]
        model = load(place, score)
        tokenizer = AutoTokenizer.from_pretrained(place)
        result = {"class": type(model).__name__}
        with torch.no_grad():
            theirs = values(model, tokens, score)
        result["values"] = (theirs - torch.tensor(ours["values"])).abs().max().item()
        result["texts"] = all(
            tokenizer.encode(text, add_special_tokens=False) == ids and tokenizer.decode(ids) == decoded
            for text, ids, decoded in ours["texts"]
        )
        chat = tokenizer.apply_chat_template(ours["conversation"], add_generation_prompt=True, return_dict=False)
        result["chat"] = list(chat) == ours["chat"]
        if os.path.exists(f"{directory}/{case}/peer.json"):
            before = load(f"{directory}/{case}", score)
            given = values(before, tokens, score)
            (-given.sum() / len(given)).backward()
            after = dict(model.named_parameters())
            worst = 0.0
            for name, parameter in before.named_parameters():
                gradient = parameter.grad
                step = ours["learningRate"] * gradient / (gradient.abs() + ours["epsilon"])
                found = parameter.data - after[name].data
                worst = max(worst, ((found - step).abs().max() / step.abs().max().clamp_min(1e-9)).item())
            result["gradients"] = worst
        results[case] = result
    for case in json.load(open(f"{directory}/written-adapters.json", encoding="utf-8")):
        results[case] = check_adapter(directory, case)
    with open(f"{directory}/checked.json", "w", encoding="utf-8") as file:
        json.dump(results, file)


def check_adapter(directory, case):
    """Ours: theirs, gone on with for one step; merged by each side it must be the same model too."""
    ours = json.load(open(f"{directory}/{case}-engine/engine.json", encoding="utf-8"))
    base, place, score, tokens = ours["base"], f"{directory}/{case}-engine", ours["score"], ours["tokens"]
    after = load_adapter(base, place, score)
    with torch.no_grad():
        found = values(after, tokens, score)
        merged = values(load(f"{directory}/{case}-merged", score), tokens, score)
    expected = torch.tensor(ours["values"])
    before = load_adapter(base, f"{directory}/{case}", score, is_trainable=True)
    given = values(before, tokens, score)
    (-given.sum() / len(given)).backward()
    updated = dict(after.named_parameters())
    worst, count = 0.0, 0
    for name, parameter in before.named_parameters():
        if not parameter.requires_grad:
            continue
        count += 1
        gradient = parameter.grad
        step = ours["learningRate"] * gradient / (gradient.abs() + ours["epsilon"])
        moved = parameter.data - updated[name].data
        worst = max(worst, ((moved - step).abs().max() / step.abs().max().clamp_min(1e-9)).item())
    return {
        "class": type(after).__name__,
        "values": (found - expected).abs().max().item(),
        "merged": (merged - expected).abs().max().item(),
        "gradients": worst,
        "trained": count,
    }


if __name__ == "__main__":
    {"write": write, "check": check}[sys.argv[1]](sys.argv[2])
