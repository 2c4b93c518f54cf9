"""Data for the models: digits, readers for your own files, a text, toy densities, augmentation, batches."""

from scratchgen.data.augment import Jitter, binarise, dequantise
from scratchgen.data.batches import Batches
from scratchgen.data.bpe import BytePairTokenizer
from scratchgen.data.datasets import Dataset, load_dataset
from scratchgen.data.digits import Digits, as_images, load_digits
from scratchgen.data.download import download_digits, download_fashion_mnist
from scratchgen.data.idx import read_idx
from scratchgen.data.image_sets import Images, load_images
from scratchgen.data.labelled_tables import LabelledTable, load_table
from scratchgen.data.npy import read_npy, read_npz
from scratchgen.data.pairs import Pairs, Vocabulary, read_pairs
from scratchgen.data.pictures import read_image
from scratchgen.data.tables import Table, read_csv
from scratchgen.data.text import Alphabet, RandomCrop, load_text, split_text, windows
from scratchgen.data.toy import (
    Density,
    GaussianMixture,
    GaussianMixture1D,
    checkerboard,
    eight_gaussians,
    pinwheel,
    two_moons,
    two_spirals,
)
from scratchgen.data.verses import load_verses
from scratchgen.data.written import (
    chinese_date,
    chinese_number,
    english_date,
    english_number,
    written_pairs,
)

__all__ = [
    "Alphabet",
    "Batches",
    "BytePairTokenizer",
    "Dataset",
    "Density",
    "Digits",
    "GaussianMixture",
    "GaussianMixture1D",
    "Images",
    "Jitter",
    "LabelledTable",
    "Pairs",
    "RandomCrop",
    "Table",
    "Vocabulary",
    "as_images",
    "binarise",
    "checkerboard",
    "chinese_date",
    "chinese_number",
    "dequantise",
    "download_digits",
    "download_fashion_mnist",
    "eight_gaussians",
    "english_date",
    "english_number",
    "load_dataset",
    "load_digits",
    "load_images",
    "load_table",
    "load_text",
    "load_verses",
    "pinwheel",
    "read_csv",
    "read_idx",
    "read_image",
    "read_npy",
    "read_npz",
    "read_pairs",
    "split_text",
    "two_moons",
    "two_spirals",
    "windows",
    "written_pairs",
]
