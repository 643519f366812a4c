#!/bin/bash
# One node with 8 GPUs of a Ray cluster, as a Ray job. Ray gives the job its GPUs and keeps its log; mucode starts
# servers and trainers on them. Node, mucode, TRL and vLLM have to be in the cluster's image, and the run's directory on
# storage that outlives the node: the same command resumes there.
#
#   RAY_ADDRESS=http://head:8265 recipes/ray/submit.sh --config models/llama-3.1-8b.toml --config suites/mbpp.toml \
#     --config sharding/fsdp.toml --out /shared/runs/8b-mbpp
#
# Paths of --config are below recipes/, which is what Ray uploads.
set -euo pipefail

recipes=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
exec "${RAY:-ray}" job submit --working-dir "$recipes" --entrypoint-num-gpus 8 --entrypoint-num-cpus 64 -- \
  mucode train --config paper.toml --config hardware/8-gpus.toml "$@"
