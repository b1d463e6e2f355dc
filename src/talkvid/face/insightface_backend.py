"""Faces by insightface's FaceAnalysis (extra `face`); its models are the user's, under their own terms."""

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from talkvid import extras
from talkvid.records import Array, Face

logger = logging.getLogger(__name__)

DEFAULT_ROOT = Path("model_ckpts/insightface_models")
DEFAULT_PACK = "buffalo_l"
POSE_MODULES = ("detection", "landmark_3d_68")
MODULES = (*POSE_MODULES, "landmark_2d_106")
LIPS_106 = slice(52, 72)


class InsightfaceDetector:
    """Finds faces with five points, and pose and 106 landmarks where the model folder has those networks.

    Without `landmarks` their network does not run.
    """

    name = "insightface"

    def __init__(
        self,
        model_path: Path | str | None = None,
        *,
        det_size: tuple[int, int] = (512, 512),
        device: str = "cpu",
        landmarks: bool = True,
    ) -> None:
        root, pack = locate(Path(model_path) if model_path else DEFAULT_ROOT)
        analysis = extras.require("insightface.app", extra="face").FaceAnalysis
        provider = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
        self._analysis: Any = analysis(
            name=pack,
            root=str(root),
            providers=[provider],
            allowed_modules=list(MODULES if landmarks else POSE_MODULES),
        )
        context = int(device.partition(":")[2] or 0) if device.startswith("cuda") else -1
        # det_size is (width, height) for insightface too.
        self._analysis.prepare(ctx_id=context, det_size=det_size)
        logger.info("insightface models %s: %s", root / "models" / pack, ", ".join(self._analysis.models))

    def detect(self, image: Array) -> list[Face]:
        """Return the faces of an RGB (H W 3) uint8 image, largest first."""
        found = self._analysis.get(np.ascontiguousarray(image[..., ::-1]))
        return sorted((_face(entry) for entry in found), key=lambda face: -face.area)


def _face(entry: Any) -> Face:
    """Return one of insightface's faces as ours; its pose has the same order and signs."""
    pose, landmarks = entry.get("pose"), entry.get("landmark_2d_106")
    return Face(
        box=np.asarray(entry["bbox"], dtype=np.float32),
        points=np.asarray(entry["kps"], dtype=np.float32),
        score=float(entry["det_score"]),
        pose=None if pose is None else np.asarray(pose, dtype=np.float32),
        lmk106=None if landmarks is None else np.asarray(landmarks, dtype=np.float32),
    )


def locate(path: Path) -> tuple[Path, str]:
    """Return (root, pack) of the folder root/models/pack with the .onnx files; `path` may be either end."""
    candidates = [path, path / "models" / DEFAULT_PACK]
    if (path / "models").is_dir():
        candidates += sorted(folder for folder in (path / "models").iterdir() if folder.is_dir())
    for folder in candidates:
        if folder.parent.name == "models" and any(folder.glob("*.onnx")):
            return folder.parent.parent, folder.name
    raise FileNotFoundError(
        f"insightface models not found in {path}{os.sep}models{os.sep}{DEFAULT_PACK}: "
        "give a folder laid out like insightface's (ROOT/models/NAME/*.onnx)"
    )
