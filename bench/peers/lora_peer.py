"""PyTorch's side of bench/engine/lora.mjs, which runs it: PART SETTINGS, a JSON object; prints one of what was measured.

Plain use of transformers and PEFT on a CPU: eager, scaled dot-product attention, fused AdamW; scoring and sampling with
the adapter merged.
"""

import json
import statistics
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from torch_engine import peak_bytes
from transformers import AutoModelForCausalLM, logging

logging.set_verbosity_error()
logging.disable_progress_bar()


def main(part, settings):
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_pretrained(settings["base"], dtype=torch.float32, attn_implementation="sdpa")
    vocabulary = model.config.vocab_size
    lora = LoraConfig(
        r=settings["rank"], lora_alpha=settings["alpha"], target_modules=settings["targets"], task_type="CAUSAL_LM"
    )
    model = get_peft_model(model, lora)
    ids = torch.randint(0, vocabulary, (settings["sequences"], settings["length"]))
    labels = ids.clone()
    labels[:, : settings["prompt"]] = -100
    if part == "train":
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters,
            lr=settings["learningRate"],
            betas=(settings["beta1"], settings["beta2"]),
            eps=settings["epsilon"],
            weight_decay=settings["weightDecay"],
            fused=True,
        )

        def work():
            model(ids, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, settings["maxGradientNorm"])
            optimizer.step()
            optimizer.zero_grad()
            return ids.numel()

    elif part == "score":
        model = model.merge_and_unload().eval()

        @torch.no_grad()
        def work():
            logits = model(ids).logits[:, :-1]
            torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])
            return ids.numel()

    else:
        model = model.merge_and_unload().eval()
        prompt = ids[:1, : settings["samplePrompt"]].expand(settings["samples"], -1)
        count = settings["newTokens"]

        @torch.no_grad()
        def work():
            out = model.generate(
                prompt, do_sample=True, top_k=0, min_new_tokens=count, max_new_tokens=count, pad_token_id=0
            )
            return (out.shape[1] - prompt.shape[1]) * out.shape[0]

    work()
    rates = []
    for _ in range(settings["repeats"]):
        started = time.perf_counter()
        rates.append(work() / (time.perf_counter() - started))
    print(json.dumps({"tokensPerSecond": statistics.median(rates), "peakBytes": peak_bytes()}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
