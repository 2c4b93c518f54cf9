"""Out-of-distribution (OOD) detection: how well each model detects digits that it was not trained on.

    scratchgen study ood                              two protocols, ten digits, two seeds
    scratchgen study ood --protocol without --digits 1 7 --models made vae
    scratchgen study ood --full                       on all of MNIST, with four times the training
    scratchgen study ood --write-chapter              put saved results into the chapter

Each cell (protocol, digit, model, seed) is saved in runs/ood/ as soon as it is measured, so an interrupted
run continues where it stopped. The results are discussed in docs/out-of-distribution.md.
"""
