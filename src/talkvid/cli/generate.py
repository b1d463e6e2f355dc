"""Turn one portrait and one speech file into a talking-head video; the last line printed is its path."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from talkvid import plugins
from talkvid.cli import generate_many
from talkvid.inference.settings import (
    FACE_BACKENDS,
    FRAMINGS,
    HEAD_MOTIONS,
    RETARGET_STRATEGIES,
    TEST_STAGES,
    GenerateSettings,
    LoadOptions,
    default_output,
)
from talkvid.model.bundle_config import SAMPLERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the verb; those without a default take it from the checkpoint's config."""
    _add_inputs(parser.add_argument_group("input and output"))
    generate_many.add_many_arguments(parser.add_argument_group("many videos"))
    _add_model(parser.add_argument_group("model"))
    _add_parts(parser.add_argument_group("parts of a V-Express model (default: below model_ckpts/)"))
    _add_device(parser.add_argument_group("device"))
    _add_face(parser.add_argument_group("portrait and head motion"))
    _add_video(parser.add_argument_group("video and sampling (default: the checkpoint's config)"))


def run(args: argparse.Namespace) -> int:
    """Return 0 after the video was written and its path printed."""
    values = {name: value for name, value in vars(args).items() if value not in (None, "")}
    if generate_many.is_wanted(args):
        settings = GenerateSettings(**_known(GenerateSettings, values))
        return generate_many.run(args, _known(LoadOptions, values), settings)
    options = LoadOptions(**_known(LoadOptions, values))
    settings = GenerateSettings(**_known(GenerateSettings, values))
    output = args.output_path or default_output(args.reference_image_path, args.audio_path)

    # Torch is loaded here, after the flags were found to make sense.
    from talkvid.inference.api import TalkVidInference
    from talkvid.inference.device import keep_freed_memory, use_huge_pages

    use_huge_pages()
    keep_freed_memory()

    result = TalkVidInference.from_options(options).generate_with(
        settings,
        reference_image=args.reference_image_path,
        audio_file=args.audio_path,
        output_path=output,
        resume=args.resume,
    )
    sys.stdout.write(f"{result.path}\n")
    sys.stdout.flush()
    return 0


def _known(schema: Any, values: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(schema)}
    return {name: value for name, value in values.items() if name in names}


def _add_inputs(group: Any) -> None:
    group.add_argument("--reference_image_path", "--portrait", type=Path, help="picture of one person")
    group.add_argument(
        "--audio_path",
        "--audio",
        type=Path,
        help="speech: any sound file, or a video with sound",
    )
    group.add_argument(
        "--output_path", "--output", type=Path, help="video to write (output/<portrait>_<speech>.mp4)"
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="keep finished stretches in OUTPUT.parts/ and go on there after a stop",
    )
    group.add_argument("--label", action="store_true", help="write 'AI-generated' visibly into the picture")


def _add_model(group: Any) -> None:
    group.add_argument(
        "--checkpoint_path",
        help="folder of a model (ours or V-Express layout) or hub id; without it the embedded model is used",
    )
    group.add_argument(
        "--commercial_safe",
        "--commercial-safe",
        action="store_true",
        help="refuse models that do not allow commercial use, the embedded one and its faces included",
    )
    group.add_argument(
        "--test_stage",
        choices=TEST_STAGES,
        default="stage_3",
        help="stage the checkpoint comes from; stage_1 mutes its untrained audio and motion layers (stage_3)",
    )
    group.add_argument(
        "--audio_embeddings_type",
        choices=("global",),
        default="global",
        help="kind of speech features (global)",
    )


def _add_parts(group: Any) -> None:
    for name, what in {
        "unet_config": "diffusers config.json of the U-Net",
        "vae": "folder of the image autoencoder",
        "audio_encoder": "folder or name of the speech encoder",
        "denoising_unet": "weights of the denoiser",
        "reference_net": "weights of the reference net",
        "v_kps_guider": "weights of the key-point guider",
        "audio_projection": "weights of the audio projection",
        "motion_module": "weights of the motion modules",
    }.items():
        group.add_argument(f"--{name}_path", metavar="PATH", help=what)
    group.add_argument(
        "--preview_vae",
        metavar="PATH",
        help="decode quick previews by this small autoencoder (AutoencoderTiny folder, TAESD decoder file)",
    )


def _add_device(group: Any) -> None:
    group.add_argument("--device", default="auto", help="auto | cpu | cuda | cuda:N | mps (auto)")
    group.add_argument("--gpu_id", help="number of the GPU (0), or of several such as 0,1")
    group.add_argument("--dtype", help="fp16 | fp32 | bf16 (fp16 on a GPU, fp32 on a CPU)")
    group.add_argument(
        "--save_gpu_memory", action="store_true", help="keep parts on the GPU only while they work"
    )
    group.add_argument(
        "--windows_per_batch",
        type=int,
        metavar="INT",
        help="windows the denoiser takes at once, each with its own memory (1 on a CPU, what fits on a GPU)",
    )
    group.add_argument(
        "--compile",
        action="store_true",
        help="have torch compile denoiser and decoder; the first call takes minutes, later ones less",
    )
    group.add_argument(
        "--do_multi_devices_inference",
        action="store_true",
        help="one video by several processes, one per GPU of --gpu_id (all of the machine)",
    )
    group.add_argument(
        "--num_processes", type=int, help="processes of --do_multi_devices_inference on a CPU (one per GPU)"
    )


def _add_face(group: Any) -> None:
    group.add_argument(
        "--face", help="which of several faces: auto | largest | its number by size, from 1 (auto)"
    )
    group.add_argument("--framing", choices=FRAMINGS, help="what the crop shows (head)")
    group.add_argument(
        "--keep_frame", action="store_true", help="paste the moving face back into the whole picture"
    )
    backends = plugins.choices("face_backend", FACE_BACKENDS)
    group.add_argument("--face_backend", choices=backends, help="who finds the face (embedded)")
    group.add_argument("--insightface_model_path", metavar="PATH", help="folder of the insightface models")
    group.add_argument("--kps_path", help="key points per frame: .pth, .npy or .safetensors (F, 3, 2)")
    group.add_argument("--kps_fps", type=float, help="poses per second in --kps_path (as long as the speech)")
    group.add_argument("--kps_size", metavar="WxH", help="picture size --kps_path refers to (512x512)")
    group.add_argument("--driving_video", type=Path, help="video whose head motion is taken over")
    group.add_argument(
        "--retarget_strategy",
        choices=plugins.choices("retarget_strategy", RETARGET_STRATEGIES),
        help="how poses fit the portrait (fix_face; naive_retarget when poses are given)",
    )
    group.add_argument(
        "--head_motion",
        choices=HEAD_MOTIONS,
        help="natural: the head moves by itself, more in speech; still (the checkpoint's own; still where "
        "poses or fix_face are given)",
    )
    group.add_argument(
        "--head_motion_scale", type=float, metavar="FLOAT", help="factor on the natural motion, 0 to 2 (1)"
    )
    group.add_argument(
        "--blink", action="store_true", default=None, help="the eyes blink (the checkpoint's own)"
    )
    group.add_argument("--no_blink", dest="blink", action="store_false", help="the eyes stay open")


def _add_video(group: Any) -> None:
    for name, kind, what in (
        ("image_width", int, "width of the picture"),
        ("image_height", int, "height of the picture"),
        ("fps", float, "frames per second"),
        ("num_inference_steps", int, "denoising steps"),
        ("guidance_scale", float, "classifier-free guidance; 1 turns it off"),
        ("reuse_features", int, "compute the denoiser's inner features in every N-th step only (1: always)"),
        ("context_frames", int, "frames the denoiser sees at once"),
        ("context_overlap", int, "frames two neighbouring windows share"),
        ("reference_attention_weight", float, "weight of the attention to the portrait"),
        ("audio_attention_weight", float, "weight of the attention to the speech"),
        ("num_pad_audio_frames", int, "frames of sound on each side that a frame hears"),
        ("standard_audio_sampling_rate", int, "rate the speech encoder works at (16000)"),
    ):
        group.add_argument(f"--{name}", type=kind, metavar=kind.__name__.upper(), help=what)
    samplers = plugins.choices("sampler", SAMPLERS)
    group.add_argument("--sampler", choices=samplers, help="how the steps are taken (ddim)")
    group.add_argument(
        "--guidance_interval",
        metavar="LOW:HIGH",
        help="guide only at noise levels (sigma) in this range, such as 0.3:5 (all steps)",
    )
    group.add_argument("--seed", type=int, default=42, metavar="INT", help="seed of the noise (42)")
