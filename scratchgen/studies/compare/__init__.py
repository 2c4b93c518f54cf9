"""Compare all families on the same digits, with the same training time and the same measures.

    scratchgen study compare                   60 seconds of training for each model, then all measures
    scratchgen study compare --seconds 10      shorter
    scratchgen study compare --full            on all 60,000 training digits
    scratchgen study compare --write-chapter   put saved results into docs/comparison.md

Every likelihood records how it was computed and which data it describes. Likelihoods that are not comparable
are never in the same table (compare/likelihood.py). The results are discussed in docs/comparison.md. Training
time is the processor time of all BLAS threads together. Set OPENBLAS_NUM_THREADS=1 for results that do not
depend on the number of threads.
"""
