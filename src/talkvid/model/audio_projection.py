"""The audio projection: a perceiver that compresses each frame's window of sound to a few tokens."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class PerceiverAttention(nn.Module):
    """Queries attend to the window and to themselves (arXiv 2204.14198)."""

    def __init__(self, dim: int, *, num_heads: int, head_dim: int) -> None:
        super().__init__()
        inner_dim = num_heads * head_dim
        self.num_heads = num_heads
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, inner_dim, bias=False)
        self.to_kv = nn.Linear(dim, 2 * inner_dim, bias=False)
        self.to_out = nn.Linear(inner_dim, dim, bias=False)

    def forward(self, window: Tensor, queries: Tensor) -> Tensor:
        """Return the update of the queries: window (M W D), queries (M N D) -> (M N D)."""
        window, queries = self.norm1(window), self.norm2(queries)
        keys, values = self.to_kv(torch.cat([window, queries], dim=1)).chunk(2, dim=-1)
        heads = [
            rearrange(part, "m n (heads d) -> m heads n d", heads=self.num_heads)
            for part in (self.to_q(queries), keys, values)
        ]
        mixed = rearrange(F.scaled_dot_product_attention(*heads), "m heads n d -> m n (heads d)")
        result: Tensor = self.to_out(mixed)
        return result


def _layer(dim: int, num_heads: int, head_dim: int, multiplier: int) -> nn.ModuleList:
    feed_forward = nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, multiplier * dim, bias=False),
        nn.GELU(),
        nn.Linear(multiplier * dim, dim, bias=False),
    )
    return nn.ModuleList([PerceiverAttention(dim, num_heads=num_heads, head_dim=head_dim), feed_forward])


class AudioProjection(nn.Module):
    """Learned queries read one window of speech features; the defaults fit wav2vec2-base and SD 1.5."""

    def __init__(
        self,
        *,
        dim: int = 768,
        depth: int = 4,
        dim_head: int = 64,
        heads: int = 12,
        num_queries: int = 5,
        embedding_dim: int = 768,
        output_dim: int = 768,
        ff_mult: int = 4,
        max_seq_len: int = 10,
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.empty(1, num_queries, dim))
        nn.init.normal_(self.latents, std=dim**-0.5)
        self.pos_emb = nn.Embedding(max_seq_len, embedding_dim)
        self.proj_in = nn.Linear(embedding_dim, dim)
        self.proj_out = nn.Linear(dim, output_dim)
        self.norm_out = nn.LayerNorm(output_dim)
        self.layers = nn.ModuleList(_layer(dim, heads, dim_head, ff_mult) for _ in range(depth))

    def forward(self, windows: Tensor) -> Tensor:
        """Return the tokens of each window: (B F W D) -> (B F N D'), or (M W D) -> (M N D').

        ValueError when W exceeds the position table.
        """
        length, max_length = windows.shape[-2], self.pos_emb.num_embeddings
        if length > max_length:
            raise ValueError(
                f"audio windows of {length} rows exceed the audio projection's table of {max_length}: "
                f"num_pad_audio_frames must fit the checkpoint"
            )
        flat = windows.flatten(0, -3)
        hidden = self.proj_in(flat + self.pos_emb.weight[:length])
        queries = self.latents.expand(flat.shape[0], -1, -1)
        for layer in self.layers:
            assert isinstance(layer, nn.ModuleList)
            queries = queries + layer[0](hidden, queries)
            queries = queries + layer[1](queries)
        return self.norm_out(self.proj_out(queries)).unflatten(0, windows.shape[:-2])
