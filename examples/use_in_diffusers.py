"""Draw pictures, and a video where there is a motion, with a run's export and diffusers alone: no file of this project is imported.

python examples/use_in_diffusers.py runs/toys/export "a sks dog, a krk car in the snow" --base models/toybox
"""

import argparse
from pathlib import Path

import torch
from diffusers import AnimateDiffPipeline, DDIMScheduler, DPMSolverMultistepScheduler, MotionAdapter, StableDiffusionPipeline
from diffusers.utils import export_to_gif


def read_arguments() -> argparse.Namespace:
    """What to draw, with what."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, help="a run's folder runs/<combination>/export")
    parser.add_argument("prompt", help="the subjects' tokens with their nouns, and a scene")
    parser.add_argument("--base", default="stable-diffusion-v1-5/stable-diffusion-v1-5", help="the base that the run was made on")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("drawn"), help="a folder for picture.png and video.gif")
    return parser.parse_args()


def load_subjects(pipeline: StableDiffusionPipeline | AnimateDiffPipeline, export: Path) -> None:
    """Lay the subjects over a pipeline; the embeddings are there if the method learned tokens, and are called as their files."""
    pipeline.load_lora_weights(export)
    for file in sorted((export / "embeddings").glob("*.safetensors")):
        pipeline.load_textual_inversion(file, token=file.stem)


def draw_picture(options: argparse.Namespace, device: str) -> None:
    """One picture."""
    pipeline = StableDiffusionPipeline.from_pretrained(options.base).to(device)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    load_subjects(pipeline, options.export)
    generator = torch.Generator().manual_seed(options.seed)
    output = pipeline(options.prompt, num_inference_steps=options.steps, guidance_scale=options.guidance, generator=generator)
    output.images[0].save(options.out / "picture.png")


def draw_video(options: argparse.Namespace, device: str) -> None:
    """One clip, with the motion of the run's reference clip."""
    adapter = MotionAdapter.from_pretrained(options.export / "motion_adapter")
    pipeline = AnimateDiffPipeline.from_pretrained(options.base, motion_adapter=adapter).to(device)
    settings = {"clip_sample": False, "timestep_spacing": "linspace"}
    if "stable-diffusion-v1-5" in options.base:
        settings["beta_schedule"] = "linear"  # AnimateDiff was trained on linear betas
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, **settings)
    load_subjects(pipeline, options.export)
    generator = torch.Generator().manual_seed(options.seed)
    side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    output = pipeline(
        options.prompt,
        num_frames=options.frames,
        height=side,
        width=side,
        num_inference_steps=options.steps,
        guidance_scale=options.guidance,
        generator=generator,
    )
    export_to_gif(output.frames[0], str(options.out / "video.gif"), fps=8)


def main() -> None:
    """Draw what there is."""
    options = read_arguments()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    options.out.mkdir(parents=True, exist_ok=True)
    draw_picture(options, device)
    if (options.export / "motion_adapter").is_dir():
        draw_video(options, device)
    print(f"drawn: {', '.join(str(p) for p in sorted(options.out.iterdir()))}")


if __name__ == "__main__":
    main()
