"""Makes the golden files of a format version with a program that writes it: make.py PROGRAM FOLDER

A stream of four tasks on a backbone of one block, stopped within the third; what palimpsest merge makes of it. Once made they stay as they are: every later
version must read them, and go on from them.
"""

import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "support"), os.path.join(ROOT, "tools", "python")]
import toy  # noqa: E402

TRAIN, TEST = 6, 3


def make(program, folder):
    os.makedirs(folder)
    toy.make_backbone(os.path.join(folder, "backbone"), hidden=16, layers=1)
    toy.make_pack(os.path.join(folder, "texts.h5"), train=TRAIN, test=TEST)
    toy.make_protocol(os.path.join(folder, "protocol.json"), train_per_class=TRAIN, test_per_class=TEST)
    with tempfile.TemporaryDirectory() as images:
        toy.make_image_pack(os.path.join(folder, "images.h5"), os.path.join(images, "idx"), 8, train=1, test=1)
    settings = {"pack": "texts.h5", "protocol": "protocol.json", "backbone": "backbone", "out": "run", "epochs": 4, "batch": 6,
                "lr": "1e-2", "adapter": "lora:rank=2,alpha=2", "lanes": 2, "progress": "none"}  # fmt: skip
    toy.write_config(os.path.join(folder, "run.cfg"), settings)
    subprocess.run([program, "train", "--config", "run.cfg", "--tasks", "2"], cwd=folder, check=True)
    if "--stop-after" in subprocess.run([program, "train", "--help"], capture_output=True, text=True).stdout:
        command = [program, "train", "--config", "run.cfg", "--resume", "auto", "--stop-after", "1e-6"]
        assert subprocess.run(command, cwd=folder).returncode == 85  # after a step of the third task
    merge = os.path.join(os.path.dirname(program), "..", "tools", "palimpsest-merge")
    if os.path.exists(merge):
        subprocess.run([merge, "run", "--rule", "average", "--out", "merged.h5"], cwd=folder, check=True)
    for name in (".lock", "report.html", "accuracy.csv"):  # not part of the run
        if os.path.exists(os.path.join(folder, "run", name)):
            os.remove(os.path.join(folder, "run", name))


if __name__ == "__main__":
    make(os.path.abspath(sys.argv[1]), sys.argv[2])
