"""The recipes of the pretrained models. Each run writes NAME.safetensors and its card NAME.md.

    scratchgen study pretrained                 all models, about half an hour of one core
    scratchgen study pretrained vae-2d cvae     some of them
    scratchgen study pretrained --list

recipes.py has the recipes, figures.py measures the models, build.py runs a recipe and writes the files.
"""
