"""Models that make videos: the V-Express release, the parts it stands on, and first weights for training."""

from talkvid.catalogue import licences
from talkvid.catalogue.record import HubFile, ModelFile, ModelRecord

RELEASE = "tk93/V-Express"
"""Hub id of the release: networks as `*.bin` at its top, the parts it stands on below `model_ckpts/`."""

_VAE = "stabilityai/sd-vae-ft-mse", "31f26fdeee1355a5c34592e401dd41e45d25a493"
_WAV2VEC2 = "facebook/wav2vec2-base-960h", "22aad52d435eb6dbaf354bdad9b0da84ce7d6156"
_HUBERT = "facebook/hubert-base-ls960", "dba3bb02fda4248b6e082697eee756de8fe8aa8a"
_XLS_R = "facebook/wav2vec2-xls-r-300m", "1a640f32ac3e39899438a2931f9924c02f080a54"
_SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"
_TAESD = "madebyollin/taesd", "614f76814bbe30edbe2e627ace1c2234c81a2c0e"


def _file(
    folder: str, repository: tuple[str, str], path: str, size: int | None = None, sha256: str = ""
) -> ModelFile:
    """Return a file that keeps its path in the repository below `folder`."""
    name, revision = repository
    return ModelFile(f"{folder}/{path}", HubFile(name, path, revision), size, sha256)


V_EXPRESS = ModelRecord(
    "v-express",
    "V-Express",
    "the published generator: five networks",
    ("--checkpoint_path model_ckpts/v-express",),
    licences.V_EXPRESS,
    tuple(
        ModelFile(f"v-express/{network}.bin", HubFile(RELEASE, f"{network}.bin"), network=network)
        for network in (
            "denoising_unet", "reference_net", "v_kps_guider", "audio_projection", "motion_module",
        )
    ),
    needs=("sd-vae", "sd15-unet-config", "wav2vec2"),
)  # fmt: skip
SD_VAE = ModelRecord(
    "sd-vae",
    "sd-vae-ft-mse",
    "image autoencoder of the generator",
    ("--vae_path", "model.vae_path"),
    licences.SD_VAE,
    (
        _file("sd-vae-ft-mse", _VAE, "config.json", 547,
              "92d3dfb746fca211a2c9e019e285f8597412211728dce3c5bcf4eda0f2d62e7e"),
        ModelFile(
            "sd-vae-ft-mse/diffusion_pytorch_model.safetensors",
            HubFile(_VAE[0], "diffusion_pytorch_model.safetensors", _VAE[1]),
            334_643_276,
            "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815",
            instead=(
                _file("sd-vae-ft-mse", _VAE, "diffusion_pytorch_model.bin", 334_707_217,
                      "1b4889b6b1d4ce7ae320a02dedaeff1780ad77d415ea0d744b476155c6377ddc"),
            ),
        ),
    ),
    aliases=("sd-vae-ft-mse",),
)  # fmt: skip
SD15_UNET_CONFIG = ModelRecord(
    "sd15-unet-config",
    "Stable Diffusion 1.5, the config of its U-Net",
    "sizes of the generator's networks; no weights",
    ("--unet_config_path", "model.unet_config_path"),
    licences.STABLE_DIFFUSION,
    (_file("stable-diffusion-v1-5", _SD15, "unet/config.json", 743),),
    aliases=("stable-diffusion-v1-5",),
)
WAV2VEC2 = ModelRecord(
    "wav2vec2",
    "wav2vec2-base-960h",
    "speech encoder of the generator",
    ("--audio_encoder_path", "--speech_encoder"),
    licences.WAV2VEC2,
    (
        _file("wav2vec2-base-960h", _WAV2VEC2, "config.json", 1596,
              "d3ec255c063d9f95057b553b19c20135b259875834a4fe9deb218a6be25b4cf3"),
        _file("wav2vec2-base-960h", _WAV2VEC2, "preprocessor_config.json", 159,
              "b225d617c025463b9e157e06afea8b90dc7078fc70b013c533328423e0486b4a"),
        ModelFile(
            "wav2vec2-base-960h/model.safetensors",
            HubFile(_WAV2VEC2[0], "model.safetensors", _WAV2VEC2[1]),
            377_607_901,
            "8aa76ab2243c81747a1f832954586bc566090c83a0ac167df6f31f0fa917d74a",
            instead=(
                _file("wav2vec2-base-960h", _WAV2VEC2, "pytorch_model.bin", None,
                      "c34f9827b034a1b9141dbf6f652f8a60eda61cdf5771c9e05bfa99033c92cd96"),
            ),
        ),
    ),
    aliases=("wav2vec2-base-960h",),
)  # fmt: skip
HUBERT = ModelRecord(
    "hubert",
    "hubert-base-ls960",
    "another speech encoder, to train with",
    ("--speech_encoder model_ckpts/hubert-base-ls960",),
    licences.HUBERT,
    (
        _file("hubert-base-ls960", _HUBERT, "config.json", 1385,
              "56be398848bbd9cbc720172b0d45b2f01cac7652f2968f0f31f5faf9f2986acc"),
        _file("hubert-base-ls960", _HUBERT, "preprocessor_config.json", 213,
              "4a93853b74278b7c769d07f5a861e5d12ceb5db2bced5620d335f87238cb9e86"),
        _file("hubert-base-ls960", _HUBERT, "pytorch_model.bin", 377_569_754,
              "062249fffb353eab67547a2fbc129f7c31a2f459faf641b19e8fb007cc5c48ad"),
    ),
    aliases=("hubert-base-ls960",),
)  # fmt: skip
XLS_R = ModelRecord(
    "xls-r",
    "wav2vec2-xls-r-300m",
    "speech encoder for 128 languages, to train with",
    ("--speech_encoder model_ckpts/wav2vec2-xls-r-300m",),
    licences.XLS_R,
    (
        _file("wav2vec2-xls-r-300m", _XLS_R, "config.json"),
        _file("wav2vec2-xls-r-300m", _XLS_R, "preprocessor_config.json"),
        _file("wav2vec2-xls-r-300m", _XLS_R, "pytorch_model.bin", None,
              "d5e490574712ad0a6736923b9ed11d4cd51c78609c36205f704fc4e87b11d2e0"),
    ),
    aliases=("wav2vec2-xls-r-300m",),
)  # fmt: skip
MOORE = ModelRecord(
    "moore-pretrained",
    "Moore-AnimateAnyone",
    "first weights of training stage 1",
    ("model.reference_net_path", "model.denoising_unet_path"),
    licences.MOORE,
    tuple(
        ModelFile(
            f"moore_pretrained/{name}.pth", HubFile("patrolli/AnimateAnyone", f"{name}.pth"), network=network
        )
        for name, network in (("reference_unet", "reference_net"), ("denoising_unet", "moore_denoising_unet"))
    ),
    needs=("sd-vae", "sd15-unet-config"),
    aliases=("moore_pretrained",),
)
ANIMATEDIFF = ModelRecord(
    "animatediff",
    "AnimateDiff motion module v2",
    "first temporal layers of training stage 2",
    ("model.motion_module_path",),
    licences.ANIMATEDIFF,
    (
        ModelFile(
            "animatediff/mm_sd_v15_v2.ckpt",
            HubFile("guoyww/animatediff", "mm_sd_v15_v2.ckpt"),
            1_817_888_431,
            "69ed0f5fef82b110aca51bcab73b21104242bc65d6ab4b8b2a2a94d31cad1bf0",
            network="motion_module",
        ),
    ),
)
TAESD = ModelRecord(
    "taesd",
    "TAESD",
    "small autoencoder that decodes previews",
    ("--preview_vae model_ckpts/taesd",),
    licences.TAESD,
    (
        _file("taesd", _TAESD, "config.json"),
        _file("taesd", _TAESD, "diffusion_pytorch_model.safetensors", 9_793_292,
              "db169d69145ec4ff064e49d99c95fa05d3eb04ee453de35824a6d0f325513549"),
    ),
)  # fmt: skip

GENERATION = (
    V_EXPRESS, SD_VAE, SD15_UNET_CONFIG, WAV2VEC2, HUBERT, XLS_R, MOORE, ANIMATEDIFF, TAESD,
)  # fmt: skip
