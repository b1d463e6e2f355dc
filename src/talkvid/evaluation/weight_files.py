"""Published weights that metrics stand on: where they come from, and whether a file is the published one."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True)
class PublishedFile:
    """One file of weights, the user's under its own licence; nothing here downloads it."""

    fetched_as: str
    """What `talkvid models fetch` calls it."""
    name: str
    url: str
    sha256: str
    licence: str

    @property
    def fetch_command(self) -> str:
        """Return the command that fetches it."""
        return f"talkvid models fetch {self.fetched_as}"

    def found(self, path: str | os.PathLike[str]) -> Path:
        """Return `path` when it is a file; FileNotFoundError that says how to fetch it otherwise."""
        place = Path(path)
        if not place.is_file():
            raise FileNotFoundError(f"{place}: no such file; fetch it with {self.fetch_command}")
        return place

    def is_published(self, path: str | os.PathLike[str]) -> bool:
        """Return whether the file's content is exactly what was published."""
        return file_sha256(path) == self.sha256


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


_HEADS = (
    "https://github.com/richzhang/PerceptualSimilarity/raw/082bb24f84c091ea94de2867d34c4544f68e0963/lpips"
)

ALEXNET = PublishedFile(
    "alexnet",
    "alexnet-owt-7be5be79.pth",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
    "BSD-3-Clause (torchvision), trained on ImageNet",
)
VGG16 = PublishedFile(
    "vgg16",
    "vgg16-397923af.pth",
    "https://download.pytorch.org/models/vgg16-397923af.pth",
    "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    "BSD-3-Clause (torchvision), trained on ImageNet",
)
LPIPS_ALEX = PublishedFile(
    "lpips-alex",
    "lpips-v0.1-alex.pth",
    f"{_HEADS}/weights/v0.1/alex.pth",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "BSD-2-Clause",
)
LPIPS_VGG = PublishedFile(
    "lpips-vgg",
    "lpips-v0.1-vgg.pth",
    f"{_HEADS}/weights/v0.1/vgg.pth",
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    "BSD-2-Clause",
)
LPIPS_OLD = {
    "18720f55913d0af89042f13faa7e536a6ce1444a0914e6db9461355ece1e8cd5",
    "b9e4236260c3dd988fc79d2a48d645d885afcbb21f9fd595e6744cf7419b582c",
}
"""Heads of version 0.0, alex and vgg: the same names and shapes, learned without the input scaling."""
FID_INCEPTION = PublishedFile(
    "inception",
    "pt_inception-2015-12-05-6726825d.pth",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "Apache-2.0, trained on ImageNet",
)
I3D_KINETICS = PublishedFile(
    "i3d",
    "i3d_torchscript.pt",
    "https://huggingface.co/flateon/FVD-I3D-torchscript/resolve/1c2d61711c52571ad617a1063e6fa691b212e184/i3d_torchscript.pt",
    "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
    "DeepMind's I3D (Apache-2.0) trained on Kinetics-400, converted by the authors of StyleGAN-V",
)
SYNCNET = PublishedFile(
    "syncnet",
    "syncnet_v2.model",
    "https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model",
    "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
    "none stated for the weights; their author's code is MIT, they were learned from television (BBC)",
)
"""The publisher states no checksum: this one is what several public projects that use the file state."""
ARCFACE = PublishedFile(
    "arcface",
    "w600k_r50.onnx",
    "https://huggingface.co/public-data/insightface/resolve/main/models/buffalo_l/w600k_r50.onnx",
    "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
    "InsightFace (buffalo_l): non-commercial research only",
)
"""The recognition network of insightface's `buffalo_l`, which most code means by ArcFace. Published inside a
zip file; this is a copy of the one file, whose checksum several public projects state."""
