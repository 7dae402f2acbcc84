"""The finetuning methods: VideoDreamer's own and the baselines, one file and one function each, all with one signature."""

from vd_core.methods import custom_diffusion, disen_mix, dreambooth, plain_mix, svdiff

METHODS = {
    "disen_mix": disen_mix.finetune,
    "plain_mix": plain_mix.finetune,
    "dreambooth": dreambooth.finetune,
    "custom_diffusion": custom_diffusion.finetune,
    "svdiff": svdiff.finetune,
}
"""`finetune(base, subjects, pictures, mixed, settings, progress, folder)`: customize `base` in place for `subjects` from each one's own `pictures` and
from the `mixed` ones (unused by some methods). `progress` says where checkpoints and logs go; what `load_customisation`
reads goes into `folder`."""
