"""What the built-in methods are: sources, published recipes, backbones and versions. Nothing here needs torch."""

from __future__ import annotations

from dataclasses import replace

from benchmark.config import Preset, Recipe
from benchmark.facts import Facts

ONE_PASS = Recipe(epochs=1, batch_size=32)


def _one_pass(source: str, backbone: str | None = None) -> Facts:
    presets: dict[Preset, Recipe] = {"paper": ONE_PASS, "fast": ONE_PASS}
    return Facts(source, presets, backbone, training="one pass")


def _by_steps(source: str, paper: Recipe, fast_iterations: int) -> Facts:
    """Return the facts of a method that reconstructs DINOv2, sees 392 pixels and scores 256.

    The papers' protocols resize to 448 pixels and cut the middle 392 out: on COCO-AD that would throw away a quarter
    of the pixels, and each anomaly at the border. Here images are resized to 392.
    """
    quick = replace(paper, iterations=fast_iterations, precision="bf16-mixed")
    backbone = "vit_base_patch14_reg4_dinov2.lvd142m"
    return Facts(source, {"paper": paper, "fast": quick}, backbone, image_size=392, score_size=256)


def _by_gradient(source: str, backbone: str, paper: Recipe, fast_decay_at: float = 0.8) -> Facts:
    """Return the facts of a method whose ``fast`` preset is the paper's recipe for ten epochs in bf16."""
    quick = replace(paper, epochs=10, precision="bf16-mixed", decay_at=fast_decay_at)
    return Facts(source, {"paper": paper, "fast": quick}, backbone)


# On COCO-AD the published logs score no worse after the first 10 epochs, all at the full rate, than after 100; on
# MVTec AD they do (docs/how-to/train.md). The published rows of these datasets were trained for longer.
LONGER = {"MVTec AD": 300, "MVTec 3D-AD": 300}
INVAD = _by_gradient(
    "Zhang et al., Learning Feature Inversion for Multi-class Anomaly Detection, 2024",
    "wide_resnet50_2.racm_in1k",
    Recipe(
        epochs=100,
        batch_size=32,
        optimizer="adam",
        learning_rate=1e-3,
        learning_rate_batch=8,
        betas=(0.0, 0.99),
        gradient_clip_norm=5.0,
    ),
    fast_decay_at=1.0,
)
INVAD = replace(INVAD, published_epochs=LONGER)
INVAD_LITE = replace(
    INVAD, default_backbone="resnet34.bt_in1k", published_epochs={**LONGER, "Uni-Medical": 300}
)
RD = _by_gradient(
    "Deng and Li, Anomaly Detection via Reverse Distillation from One-Class Embedding, CVPR 2022",
    "wide_resnet50_2.racm_in1k",
    Recipe(epochs=100, batch_size=16, optimizer="adam", learning_rate=5e-3, betas=(0.5, 0.999)),
)
UNIAD = _by_gradient(
    "You et al., A Unified Model for Multi-class Anomaly Detection, NeurIPS 2022",
    "tf_efficientnet_b4.aa_in1k",
    Recipe(epochs=100, batch_size=8, optimizer="adamw", learning_rate=1e-4, weight_decay=1e-4),
)
VITAD = _by_gradient(
    "Zhang et al., Exploring Plain ViT Reconstruction for Multi-class Unsupervised Anomaly Detection, 2023",
    "vit_small_patch16_224.dino",
    Recipe(epochs=100, batch_size=8, optimizer="adamw", learning_rate=1e-4, weight_decay=1e-4),
)
DINOMALY = _by_steps(
    "Guo et al., Dinomaly: The Less Is More Philosophy in Multi-Class Unsupervised Anomaly Detection, CVPR 2025",
    Recipe(
        iterations=50_000,  # as for Real-IAD; MVTec AD and VisA: 10,000
        batch_size=16,
        optimizer="stable-adamw",
        amsgrad=True,
        eps=1e-10,
        learning_rate=2e-3,
        weight_decay=1e-4,
        gradient_clip_norm=0.1,
        warmup_iterations=100,
        schedule="cosine",
        decay_factor=0.1,
    ),
    fast_iterations=10_000,
)
DINOMALY2 = _by_steps(
    "Guo et al., One Dinomaly2 Detect Them All: A Unified Framework for Full-Spectrum Unsupervised Anomaly Detection, "
    "2025",
    replace(DINOMALY.presets["paper"], iterations=40_000, amsgrad=False, schedule="constant"),
    fast_iterations=10_000,
)
INP_FORMER = _by_steps(
    "Luo et al., Exploring Intrinsic Normal Prototypes within a Single Image for Universal Anomaly Detection, "
    "CVPR 2025",
    replace(DINOMALY.presets["paper"], epochs=200, iterations=None, learning_rate=1e-3),
    fast_iterations=45_000,  # as many as 200 epochs of MVTec AD have
)
CFLOW = _by_gradient(
    "Gudovskiy et al., CFLOW-AD: Real-Time Unsupervised Anomaly Detection with Localization, WACV 2022",
    "wide_resnet50_2.racm_in1k",
    Recipe(epochs=100, batch_size=32, optimizer="adam", learning_rate=2e-4),
)
PADIM = _one_pass(
    "Defard et al., PaDiM: a Patch Distribution Modeling Framework, ICPR Workshops 2021", "resnet18.tv_in1k"
)
PATCHCORE = _one_pass(
    "Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022",
    "wide_resnet50_2.racm_in1k",
)
ANOMALY_DINO = replace(
    _one_pass(
        "Damm et al., AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with DINOv2, WACV 2025",
        "vit_small_patch14_dinov2.lvd142m",
    ),
    image_size=252,
    score_size=256,
)
MEAN_IMAGE = _one_pass("a floor of this bench")
FEATURE_DISTANCE = _one_pass("a floor of this bench", "resnet34.bt_in1k")

BUILT_IN = {  # a method's name -> where its class is, and what it is
    "invad": ("benchmark.methods.invad.method:InvAD", INVAD),
    "invad-lite": ("benchmark.methods.invad.method:InvADLite", INVAD_LITE),
    "rd": ("benchmark.methods.rd:ReverseDistillation", RD),
    "uniad": ("benchmark.methods.uniad:UniAD", UNIAD),
    "vitad": ("benchmark.methods.vitad:ViTAD", VITAD),
    "dinomaly": ("benchmark.methods.dinomaly:Dinomaly", DINOMALY),
    "dinomaly2": ("benchmark.methods.dinomaly:Dinomaly2", DINOMALY2),
    "inp-former": ("benchmark.methods.inp_former:INPFormer", INP_FORMER),
    "cflow": ("benchmark.methods.cflow:CFlow", CFLOW),
    "padim": ("benchmark.methods.padim:PaDiM", PADIM),
    "patchcore": ("benchmark.methods.patchcore:PatchCore", PATCHCORE),
    "anomalydino": ("benchmark.methods.anomalydino:AnomalyDINO", ANOMALY_DINO),
    "mean-image": ("benchmark.methods.floors:MeanImage", MEAN_IMAGE),
    "feature-distance": ("benchmark.methods.floors:FeatureDistance", FEATURE_DISTANCE),
}
