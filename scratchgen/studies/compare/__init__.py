"""The comparison: every family on the same digits, with the same training time and the same measures.

    scratchgen study compare                   60 seconds of training for each model, then all measures
    scratchgen study compare --seconds 10      shorter
    scratchgen study compare --full            on all 60,000 training digits
    scratchgen study compare --write-chapter   put saved results into docs/comparison.md

Every likelihood records how it was computed and which data it describes. Two that are not comparable never
share a table (compare/likelihood.py). The results are discussed in docs/comparison.md. With several BLAS
threads the time of all of them counts; set OPENBLAS_NUM_THREADS=1 for results that do not depend on their
number.
"""
