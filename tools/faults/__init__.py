"""The fault campaign: training runs and studies that are killed, run out of space, or lose their folder.

    python -m tools.faults                  the whole campaign (make faults); writes results/faults.json
    python -m tools.faults --short          one fault of each kind, about half a minute
    python -m tools.faults --only KIND ...  some kinds; prints the counts and writes no file

The campaign needs Linux. Every fault happens in its own process, which is forked from a process that has
imported the library and compiled the kernels. After the fault, the run is continued without faults. It must
end with the same bits as an undisturbed run: parameters, buffers, optimisers, generators, callbacks, and the
history without its seconds. The numbers in results/faults.json:

    tried = survived + refused + lost   (campaign.py defines them);  messages : errors in one line among them

    campaign.py    what all faults have in common
    child.py       start a process, kill it, read what it printed
    runs.py        the training runs of every family, and what is compared
    operations.py  file operations that are counted, end the process, or fail
    training.py    the faults of training runs
    limits.py      full disks, folders, limits, clocks
    studies.py     the faults of studies
    report.py      the counts
"""
