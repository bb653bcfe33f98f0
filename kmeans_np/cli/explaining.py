"""What a person can ask to be shown: `explain`.

What this file adds: the steps of a run as a file, opened if wanted. What it leaves out:
the steps (`kmeans_np.explanation`).
"""

import argparse
import os
import webbrowser
from pathlib import Path

from kmeans_np import checks
from kmeans_np.cli.inputs import mask_for, read_mask, read_picture
from kmeans_np.cli.outputs import identity, make_folder
from kmeans_np.cli.words import Progress, named, noted, say
from kmeans_np.clustering import describe_stop
from kmeans_np.explanation import Explanation, check_suffix
from kmeans_np.explanation import explain as explained
from kmeans_np.files import explained as path_explained
from kmeans_np.lloyd import Array
from kmeans_np.sample import sample_image


def explain(args: argparse.Namespace) -> None:
    """Write a page, a film or a sheet of all the steps of a run."""
    if args.sample == (args.image is not None):
        raise ValueError(
            "IMAGE must be given, or --sample for the built-in picture, got "
            f"{'both' if args.sample else 'neither'}; pass one of them"
        )
    output = _output(args)
    checks.n_clusters(args.k, max(args.k, 1), "pixels")
    mask = read_mask(args.mask)
    image = sample_image() if args.sample else read_picture(Path(args.image))
    name = "The built-in picture" if args.sample else Path(args.image).name
    with noted():
        answer = _run(image, mask_for(image, mask), name, args)
    if args.output is None or _is_folder(args.output):
        make_folder(output.parent, "-o")
    with named("-o"):
        answer.save(output)
    end = describe_stop(answer.n_iter, answer.stopped_by)
    say(f"{output}: {checks.counted(args.k, 'cluster')}, {end}")
    if args.open and not webbrowser.open(output.resolve().as_uri()):
        say(f"no browser was found; open {output} in one")


def _run(
    image: Array, mask: Array | None, name: str, args: argparse.Namespace
) -> Explanation:
    progress = Progress()
    try:
        return explained(
            image,
            args.k,
            kind="image",
            mask=mask,
            alpha=args.alpha,
            init=args.init,
            max_iter=args.max_iter,
            tol=args.tol,
            rng=args.seed,
            callback=progress,
            title=name,
        )
    finally:
        progress.clear()


def _is_folder(given: str) -> bool:
    return given.endswith(("/", os.sep)) or Path(given).is_dir()


def _output(args: argparse.Namespace) -> Path:
    """Return the file to write, or say why that cannot be."""
    source = Path("sample" if args.sample else args.image)
    name = f"{source.stem}-k{args.k}.html"
    if args.output is None:
        return source.parent / name
    if _is_folder(args.output):
        return Path(args.output) / name
    output = Path(args.output)
    with named("-o"):
        check_suffix(output)
        with path_explained(output, "a file that can be written"):
            output.parent.stat()
    read = {identity(Path(path)) for path in (args.image, args.mask) if path}
    if identity(output) in read - {None} and not args.force:
        raise ValueError(
            f"the output must not be an input, got {output}; write it to another file, "
            "or pass --force to write over the input"
        )
    return output
