"""Training throughput of the `crossmodal` block beside the same maths on nn.MultiheadAttention, interleaved, one
thread.

    python tests/benchmarks/bench_crossmodal.py [--heads 5] [--rounds 7]

Three modalities, length 50, width 40, 4 layers, batch 32, float32; forward, backward and an AdamW step. The peer runs
one transformer a pair, pre-norm, with the same feed-forward width, biases and join, and need_weights=False.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

from mmcli.models.blocks import crossmodal

MODALITIES, LENGTH, WIDTH, LAYERS, BATCH = 3, 50, 40, 4, 32


class PeerLayer(nn.Module):
    """Cross-attention and feed-forward, each behind a norm and beside a residual path."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.norm_query, self.norm_feed = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, heads, batch_first=True)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor, source: Tensor, padding: Tensor) -> Tensor:
        """Keys and values from the source, which was normalised once."""
        y, _ = self.attention(self.norm_query(x), source, source, key_padding_mask=padding, need_weights=False)
        x = x + y
        return x + self.narrow(torch.relu(self.wide(self.norm_feed(x))))


class Peer(nn.Module):
    """Six transformers and a linear map for each target."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.pairs = [(a, b) for a in range(MODALITIES) for b in range(MODALITIES) if a != b]
        self.layers = nn.ModuleList(nn.ModuleList(PeerLayer(heads) for _ in range(LAYERS)) for _ in self.pairs)
        self.join = nn.ModuleList(nn.Linear((MODALITIES - 1) * WIDTH, WIDTH) for _ in range(MODALITIES))

    def mix(self, sequences: list[Tensor], masks: list[Tensor]) -> list[Tensor]:
        """As the block's."""
        plain = [nn.functional.layer_norm(s, (WIDTH,)) for s in sequences]
        found: list[list[Tensor]] = [[] for _ in sequences]
        for (target, source), layers in zip(self.pairs, self.layers, strict=True):
            x = sequences[target]
            for layer in layers:
                x = layer(x, plain[source], ~masks[source])
            found[target].append(x)
        return [s + join(torch.cat(f, -1)) for s, f, join in zip(sequences, found, self.join, strict=True)]


Batches = list[tuple[list[Tensor], list[Tensor]]]


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches) -> float:
    """Seconds of processor time for one step a batch."""
    start = time.process_time()
    for sequences, masks in batches:
        loss = sum(s.square().mean() for s in model.mix(list(sequences), masks))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.process_time() - start


def main() -> None:
    """Print samples a second of both, and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--padded", action="store_true", help="items of differing length")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    ours = crossmodal.build(crossmodal.Config(MODALITIES, WIDTH, arguments.heads, LAYERS, dropout=0.0))
    peer = Peer(arguments.heads)
    sizes = [sum(p.numel() for p in m.parameters()) for m in (ours, peer)]
    batches = []
    for _ in range(3):
        lengths = torch.randint(25, LENGTH + 1, (BATCH,)) if arguments.padded else torch.full((BATCH,), LENGTH)
        mask = torch.arange(LENGTH) < lengths[:, None]
        batches.append(([torch.randn(BATCH, LENGTH, WIDTH) for _ in range(MODALITIES)], [mask] * MODALITIES))
    runs = [(m, torch.optim.AdamW(m.parameters(), lr=1e-4)) for m in (ours, peer)]
    for m, o in runs:
        steps(m, o, batches[:1])
    seconds = [[steps(m, o, batches) for m, o in runs] for _ in range(arguments.rounds)]
    rate = [len(batches) * BATCH / statistics.median(s[i] for s in seconds) for i in range(2)]
    ratios = sorted(b / a for a, b in seconds)
    print(f"parameters {sizes[0]:,} and {sizes[1]:,} ({100 * (sizes[0] / sizes[1] - 1):+.2f} %)")
    print(f"crossmodal {rate[0]:.0f}, nn.MultiheadAttention {rate[1]:.0f} samples/s, one thread, processor time")
    spread = f"rounds {ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"ratio {statistics.median(ratios):.2f} ({spread}); torch {torch.__version__}")


if __name__ == "__main__":
    main()
