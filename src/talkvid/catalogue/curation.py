"""Models that look at raw video: faces, picture quality, motion, words."""

from talkvid.catalogue import licences
from talkvid.catalogue.record import HubFile, ModelFile, ModelRecord, WebFile, ZipMember

_BUFFALO_URL = "https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip"
_BUFFALO_SIZE = 288_621_354
_BUFFALO_SHA256 = "80ffe37d8a5940d59a7384c201a2a38d4741f2f3c51eef46ebb28218a7b0ca2f"
_BUFFALO_FILES = {
    "det_10g.onnx": (16_923_827, "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91"),
    "2d106det.onnx": (5_030_888, "f001b856447c413801ef5c42091ed0cd516fcd21f2d6b79635b1e733a7109dbf"),
    "1k3d68.onnx": (143_607_619, "df5c06b8a0c12e422b2ed8947b8869faa4105387f199c477af038aa01f9a45cc"),
    "genderage.onnx": (1_322_532, "4fde69b1c810857b88c64a335084f1c3fe8f01246c9a191b48c7bb756d6652fb"),
    "w600k_r50.onnx": (174_383_860, "4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43"),
}
_WHISPER = "Systran/faster-whisper-small"
_WHISPER_REVISION = "536b0662742c02347bc0e980a01041f333bce120"
_WHISPER_FILES = {
    "config.json": (2370, "b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828"),
    "model.bin": (483_546_902, "3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671"),
    "tokenizer.json": (2_203_239, "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
    "vocabulary.txt": (459_861, "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
}

INSIGHTFACE = ModelRecord(
    "insightface",
    "InsightFace buffalo_l",
    "faces, 106 landmarks, pose, identity, age",
    ("--face_backend insightface", "--insightface_model_path", "head.backend=insightface"),
    licences.INSIGHTFACE,
    tuple(
        ModelFile(
            f"insightface_models/models/buffalo_l/{name}",
            ZipMember(_BUFFALO_URL, name, _BUFFALO_SIZE, _BUFFALO_SHA256),
            size,
            sha256,
        )
        for name, (size, sha256) in _BUFFALO_FILES.items()
    ),
    aliases=("buffalo_l", "insightface_models"),
)
MEDIAPIPE = ModelRecord(
    "mediapipe",
    "MediaPipe FaceLandmarker",
    "faces and lips; the yardstick of the embedded backend",
    ("--face_backend mediapipe", "--yardstick mediapipe", "head.backend=mediapipe"),
    licences.MEDIAPIPE,
    (
        ModelFile(
            "mediapipe/face_landmarker.task",
            WebFile(
                "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/"
                "face_landmarker.task"
            ),
            3_758_596,
            "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        ),
    ),
    aliases=("face-landmarker",),
)
DOVER = ModelRecord(
    "dover",
    "DOVER",
    "picture quality as TalkVid measured it",
    ("quality.backend=dover",),
    licences.DOVER,
    (
        # Its authors publish no checksum; this one stands in public projects that fetched the file.
        ModelFile(
            "dover/DOVER.pth",
            WebFile("https://github.com/QualityAssessment/DOVER/releases/download/v0.1.0/DOVER.pth"),
            None,
            "f4a42c0bbc94c94dd7409e7f40887d44c5c30314d1d09e7edf03cc35813b4838",
        ),
    ),
    next_step=(
        "python -m talkvid.curation.dover_convert --checkpoint {folder}/dover/DOVER.pth --repository DOVER "
        "--output {folder}/dover/dover.onnx"
    ),
)
COTRACKER = ModelRecord(
    "cotracker",
    "CoTracker3, offline",
    "motion as TalkVid measured it",
    ("motion.backend=cotracker",),
    licences.COTRACKER,
    (
        ModelFile(
            "cotracker/scaled_offline.pth",
            HubFile("facebook/cotracker3", "scaled_offline.pth"),
            101_890_938,
            "2670d4562ed69326dda775a26e54883925cd11b6fc9b24cb7aa9f8078bce7834",
        ),
    ),
    aliases=("cotracker3",),
)
FASTER_WHISPER = ModelRecord(
    "faster-whisper",
    "faster-whisper small",
    "language and words of a clip",
    ("annotate.speech_model=model_ckpts/faster-whisper-small",),
    licences.FASTER_WHISPER,
    tuple(
        ModelFile(f"faster-whisper-small/{name}", HubFile(_WHISPER, name, _WHISPER_REVISION), size, sha256)
        for name, (size, sha256) in _WHISPER_FILES.items()
    ),
    aliases=("faster-whisper-small",),
)

CURATION = (INSIGHTFACE, MEDIAPIPE, DOVER, COTRACKER, FASTER_WHISPER)
