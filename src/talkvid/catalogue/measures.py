"""Models that the field's metrics stand on; each number under a published name needs the published file."""

from talkvid.catalogue import licences
from talkvid.catalogue.record import HubFile, Licence, ModelFile, ModelRecord, Source, WebFile

FOLDER = "evaluation"
"""Where they lie below the models' folder."""
_HEADS = "https://github.com/richzhang/PerceptualSimilarity/raw/082bb24f84c091ea94de2867d34c4544f68e0963"
_TORCHVISION = "https://download.pytorch.org/models"


def _record(
    name: str,
    title: str,
    purpose: str,
    used_by: tuple[str, ...],
    *,
    licence: Licence,
    file: str,
    source: Source | None,
    size: int,
    sha256: str,
    needs: tuple[str, ...] = (),
) -> ModelRecord:
    return ModelRecord(
        name, title, purpose, used_by, licence,
        (ModelFile(f"{FOLDER}/{file}", source, size, sha256),), needs=needs,
    )  # fmt: skip


SYNCNET = _record(
    "syncnet",
    "SyncNet",
    "LSE-D, LSE-C",
    ("--syncnet",),
    licence=licences.SYNCNET,
    file="syncnet_v2.model",
    source=WebFile("https://www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model"),
    size=54_573_114,
    # The publisher states no checksum: this one is what several public projects that use the file state.
    sha256="961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
)
INCEPTION = _record(
    "inception",
    "Inception of FID",
    "FID",
    ("--inception",),
    licence=licences.FID_INCEPTION,
    file="pt_inception-2015-12-05-6726825d.pth",
    source=WebFile(
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
        "pt_inception-2015-12-05-6726825d.pth"
    ),
    size=95_628_359,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
I3D = _record(
    "i3d",
    "I3D, trained on Kinetics-400",
    "FVD",
    ("--i3d",),
    licence=licences.I3D,
    file="i3d_torchscript.pt",
    source=HubFile(
        "flateon/FVD-I3D-torchscript", "i3d_torchscript.pt", "1c2d61711c52571ad617a1063e6fa691b212e184"
    ),
    size=51_235_320,
    sha256="bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
)
ALEXNET = _record(
    "alexnet",
    "AlexNet of torchvision",
    "LPIPS (alex), trunk",
    ("--lpips_trunk",),
    licence=licences.TORCHVISION,
    file="alexnet-owt-7be5be79.pth",
    source=WebFile(f"{_TORCHVISION}/alexnet-owt-7be5be79.pth"),
    size=244_408_911,
    sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)
VGG16 = _record(
    "vgg16",
    "VGG-16 of torchvision",
    "LPIPS (vgg), trunk",
    ("--lpips_trunk", "--lpips_network vgg"),
    licence=licences.TORCHVISION,
    file="vgg16-397923af.pth",
    source=WebFile(f"{_TORCHVISION}/vgg16-397923af.pth"),
    size=553_433_881,
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
)
LPIPS_ALEX = _record(
    "lpips-alex",
    "LPIPS 0.1 (alex), heads",
    "LPIPS (alex)",
    ("--lpips_heads",),
    licence=licences.LPIPS,
    file="lpips-v0.1-alex.pth",
    source=WebFile(f"{_HEADS}/lpips/weights/v0.1/alex.pth"),
    size=6009,
    sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    needs=("alexnet",),
)
LPIPS_VGG = _record(
    "lpips-vgg",
    "LPIPS 0.1 (vgg), heads",
    "LPIPS (vgg)",
    ("--lpips_heads", "--lpips_network vgg"),
    licence=licences.LPIPS,
    file="lpips-v0.1-vgg.pth",
    source=WebFile(f"{_HEADS}/lpips/weights/v0.1/vgg.pth"),
    size=7289,
    sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    needs=("vgg16",),
)
ARCFACE = _record(
    "arcface",
    "ArcFace (buffalo_l's w600k_r50)",
    "CSIM",
    ("--arcface",),
    licence=licences.INSIGHTFACE,
    file="w600k_r50.onnx",
    # The recognition network of buffalo_l, which most code means by ArcFace; a copy of the one file.
    source=HubFile("public-data/insightface", "models/buffalo_l/w600k_r50.onnx"),
    size=174_383_860,
    sha256="4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43",
)
MOBILEFACENET = _record(
    "mobilefacenet",
    "MobileFaceNet",
    "an identity cosine that is not CSIM",
    ("--mobilefacenet",),
    licence=licences.MOBILEFACENET,
    file="068.ckpt",
    source=None,
    size=4_130_855,
    sha256="e839247cdbdfc023fb7cadeaf53a4549d50c8fc24ad154c02e35920ea8910d99",
)

MEASURES = (SYNCNET, INCEPTION, I3D, ALEXNET, VGG16, LPIPS_ALEX, LPIPS_VGG, ARCFACE, MOBILEFACENET)
