"""What programs under test run before transformers, where torch and torchvision do not fit together."""

TORCH_PRELUDE = """
import sys
import torch
try:
    import torchvision
except RuntimeError:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):  # the CPU build of torch lacks them, and torchvision stops at import without
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
except ImportError:
    pass
"""
