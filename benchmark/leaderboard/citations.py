"""Methods' proper names and papers, for tables that are printed: BibTeX, LaTeX and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ANOMALIB = "anomalib:"


@dataclass(frozen=True)
class Reference:
    """A paper: ``venue`` is a conference's or journal's name, or an arXiv number."""

    key: str
    authors: str  # "Family, Given and Family, Given", as BibTeX has them; "and others"
    title: str
    venue: str
    year: int

    def bibtex(self) -> str:
        """Return the paper's BibTeX entry."""
        if self.venue.startswith("arXiv:"):
            kind, where = "misc", f"eprint = {{{self.venue[6:]}}},\n  archiveprefix = {{arXiv}}"
        elif self.venue in JOURNALS:
            kind, where = "article", f"journal = {{{self.venue}}}"
        else:
            kind, where = "inproceedings", f"booktitle = {{{self.venue}}}"
        return (
            f"@{kind}{{{self.key},\n  author = {{{self.authors}}},\n  title = {{{{{self.title}}}}},\n"
            f"  {where},\n  year = {{{self.year}}}\n}}\n"
        )

    def text(self) -> str:
        """Return the paper in one line."""
        names = [name.split(",")[0] for name in self.authors.split(" and ")]
        short = (
            names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
        )
        short = f"{names[0]} et al." if "others" in names else short
        return f"{short}, {self.title}, {self.venue}, {self.year}"


JOURNALS = ("IEEE Access", "Computer Vision and Image Understanding")

REFERENCES = {
    reference.key: reference
    for reference in (
        Reference("zhang2024invad", "Zhang, Jiangning and others",
                  "Learning Feature Inversion for Multi-class Anomaly Detection under General-purpose "
                  "COCO-AD Benchmark",
                  "arXiv:2404.10760", 2024),
        Reference("zhang2024ader", "Zhang, Jiangning and others",
                  "ADer: A Comprehensive Benchmark for Multi-class Visual Anomaly Detection", "arXiv:2406.03262", 2024),
        Reference("he2024mambaad", "He, Haoyang and others",
                  "MambaAD: Exploring State Space Models for Multi-class Unsupervised Anomaly Detection",
                  "NeurIPS", 2024),
        Reference("hicsonmez2025vlmdiff", "Hicsonmez, Samet and Shabayek, Abd El Rahman and Aouada, Djamila",
                  "VLMDiff: Leveraging Vision-Language Models for Multi-Class Anomaly Detection with Diffusion",
                  "arXiv:2511.08173", 2025),
        Reference("deng2022rd", "Deng, Hanqiu and Li, Xingyu",
                  "Anomaly Detection via Reverse Distillation from One-Class Embedding", "CVPR", 2022),
        Reference("tien2023rdpp", "Tien, Tran Dinh and others", "Revisiting Reverse Distillation for Anomaly Detection",
                  "CVPR", 2023),
        Reference("you2022uniad", "You, Zhiyuan and others", "A Unified Model for Multi-class Anomaly Detection",
                  "NeurIPS", 2022),
        Reference("zhang2023vitad", "Zhang, Jiangning and others",
                  "Exploring Plain ViT Reconstruction for Multi-class Unsupervised Anomaly Detection",
                  "arXiv:2312.07495", 2023),
        Reference("he2024diad", "He, Haoyang and others",
                  "A Diffusion-Based Framework for Multi-Class Anomaly Detection", "AAAI", 2024),
        Reference("gudovskiy2022cflow", "Gudovskiy, Denis and Ishizaka, Shun and Kozuka, Kazuki",
                  "CFLOW-AD: Real-Time Unsupervised Anomaly Detection with Localization via Conditional "
                  "Normalizing Flows",
                  "WACV", 2022),
        Reference("liu2023simplenet", "Liu, Zhikang and others",
                  "SimpleNet: A Simple Network for Image Anomaly Detection and Localization", "CVPR", 2023),
        Reference("lee2022cfa", "Lee, Sungwook and Lee, Seunghyun and Song, Byung Cheol",
                  "CFA: Coupled-Hypersphere-Based Feature Adaptation for Target-Oriented Anomaly Localization",
                  "IEEE Access", 2022),
        Reference("zhang2023destseg", "Zhang, Xuan and others",
                  "DeSTSeg: Segmentation Guided Denoising Student-Teacher for Anomaly Detection", "CVPR", 2023),
        Reference("lei2023pyramidflow", "Lei, Jiarui and others",
                  "PyramidFlow: High-Resolution Defect Contrastive Localization Using Pyramid Normalizing Flow",
                  "CVPR", 2023),
        Reference("zavrtanik2021draem", "Zavrtanik, Vitjan and Kristan, Matej and Skočaj, Danijel",
                  "DRAEM: A Discriminatively Trained Reconstruction Embedding for Surface Anomaly Detection",
                  "ICCV", 2021),
        Reference("defard2021padim", "Defard, Thomas and others",
                  "PaDiM: A Patch Distribution Modeling Framework for Anomaly Detection and Localization",
                  "ICPR Workshops", 2021),
        Reference("roth2022patchcore", "Roth, Karsten and others",
                  "Towards Total Recall in Industrial Anomaly Detection", "CVPR", 2022),
        Reference("guo2025dinomaly", "Guo, Jia and others",
                  "Dinomaly: The Less Is More Philosophy in Multi-Class Unsupervised Anomaly Detection", "CVPR", 2025),
        Reference("guo2025dinomaly2", "Guo, Jia and others",
                  "One Dinomaly2 Detect Them All: A Unified Framework for Full-Spectrum Unsupervised Anomaly Detection",
                  "arXiv:2510.17611", 2025),
        Reference("luo2025inpformer", "Luo, Wei and others",
                  "Exploring Intrinsic Normal Prototypes within a Single Image for Universal Anomaly Detection",
                  "CVPR", 2025),
        Reference("damm2025anomalydino", "Damm, Simon and others",
                  "AnomalyDINO: Boosting Patch-Based Few-Shot Anomaly Detection with DINOv2", "WACV", 2025),
    )
}  # fmt: skip

METHODS = {  # name in the bench -> proper name, key
    "invad": ("InvAD", "zhang2024invad"),
    "invad-lite": ("InvAD-lite", "zhang2024invad"),
    "rd": ("RD", "deng2022rd"),
    "reversedistillation": ("RD", "deng2022rd"),
    "rd++": ("RD++", "tien2023rdpp"),
    "uniad": ("UniAD", "you2022uniad"),
    "vitad": ("ViTAD", "zhang2023vitad"),
    "diad": ("DiAD", "he2024diad"),
    "cflow": ("CFLOW-AD", "gudovskiy2022cflow"),
    "mambaad": ("MambaAD", "he2024mambaad"),
    "simplenet": ("SimpleNet", "liu2023simplenet"),
    "cfa": ("CFA", "lee2022cfa"),
    "destseg": ("DeSTSeg", "zhang2023destseg"),
    "pyramidflow": ("PyramidFlow", "lei2023pyramidflow"),
    "draem": ("DRAEM", "zavrtanik2021draem"),
    "vlmdiff": ("VLMDiff", "hicsonmez2025vlmdiff"),
    "padim": ("PaDiM", "defard2021padim"),
    "patchcore": ("PatchCore", "roth2022patchcore"),
    "dinomaly": ("Dinomaly", "guo2025dinomaly"),
    "dinomaly2": ("Dinomaly2", "guo2025dinomaly2"),
    "inp-former": ("INP-Former", "luo2025inpformer"),
    "inpformer": ("INP-Former", "luo2025inpformer"),
    "anomalydino": ("AnomalyDINO", "damm2025anomalydino"),
    "mean-image": ("Mean image", ""),
    "feature-distance": ("Feature distance", ""),
}


def proper_name(method: str) -> str:
    """Return a method's name as its authors write it; of a method that is not known here, its name in the bench.

    >>> proper_name("uniad"), proper_name("anomalib:Cfa"), proper_name("mine")
    ('UniAD', 'CFA (anomalib)', 'mine')
    """
    name = method.removeprefix(ANOMALIB)
    proper = METHODS.get(name.lower(), (name, ""))[0]
    return f"{proper} (anomalib)" if method.startswith(ANOMALIB) else proper


def citation(method: str) -> Reference | None:
    """Return a method's paper; None where it is not known here."""
    return REFERENCES.get(METHODS.get(method.removeprefix(ANOMALIB).lower(), ("", ""))[1])


def bibtex(methods: Iterable[str], sources: Iterable[str] = ()) -> str:
    """Return BibTeX entries of methods' papers and of published sources (their keys), each once, by key."""
    keys = {found.key for method in methods if (found := citation(method))} | set(sources)
    return "\n".join(REFERENCES[key].bibtex() for key in sorted(keys) if key in REFERENCES)


def label_of(text: str) -> str:
    """Return a title as a LaTeX label.

    >>> label_of("coco-ad, 256 px, split 0 (ader protocol)")
    'tab:coco-ad-256-px-split-0-ader-protocol'
    """
    return "tab:" + re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
