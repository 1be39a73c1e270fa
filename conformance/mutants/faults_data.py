"""Faults of data: what is cut, masked, read on which strand and in which order."""

from __future__ import annotations

from caduceus.conformance.mutants.mutant import Mutant

CUT = "caduceus.data.cutting:"
MASK = "caduceus.data.masking:"
SAMPLES = "caduceus.data.pretraining:MaskedLMData."

MUTANTS = (
    Mutant(
        "windows: off by one",
        "caduceus.data.windows:Windows.locate_cut",
        ("(numbers - self.first[row]) * self.length", "(numbers - self.first[row]) * self.length + 1"),
        killers=("golden windows", "sound windows"),
        missed_by=("strands of samples",),
    ),
    Mutant(
        "windows: those past a contig's end are not moved back",
        "caduceus.data.windows:Windows.locate_cut",
        ("np.minimum(start, self.limits[row] - self.length)", "start"),
        killers=("golden windows",),
        missed_by=("sound windows",),
    ),
    Mutant(
        "windows, official: cut to the end of the interval",
        CUT + "official_windows",
        ("np.full(len(rows), extent // length)", "(rows.end - rows.start) // length"),
        killers=("golden windows",),
        missed_by=("sound windows",),
    ),
    Mutant(
        "windows, sound: those that overlap test are kept",
        CUT + "sound_windows",
        ("rows.take(~overlapping)", "rows"),
        killers=("sound windows",),
        missed_by=("golden windows",),
    ),
    Mutant(
        "windows, sound: an interval that touches test is taken to overlap it",
        "caduceus.data.intervals:shares_base",
        ('starts), end, side="left"', 'starts), end, side="right"'),
        killers=("sound windows",),
        missed_by=("golden windows",),
    ),
    Mutant(
        "windows, sound: those of N alone are kept",
        CUT + "_without_empty",
        ("np.flatnonzero(known == 0)", "np.flatnonzero(known < 0)"),
        killers=("sound windows",),
        missed_by=("golden windows",),
    ),
    Mutant(
        "masking, sound: N and special tokens are targets",
        MASK + "mask_rows",
        ("is_base(ids) if sound else", "np.ones(ids.shape, dtype=bool) if sound else"),
        killers=("sound masks",),
        missed_by=("golden masks",),
    ),
    Mutant(
        "masking, sound: special tokens take the place of bases",
        MASK + "mask_rows",
        ("np.array(BASES) if sound else", "np.arange(12) if sound else"),
        killers=("sound masks",),
        missed_by=("golden masks",),
    ),
    Mutant(
        "masking: positions that are not selected change",
        MASK + "_apply",
        ("np.where(selected, seen, ids)", "seen"),
        killers=("golden masks", "sound masks"),
    ),
    Mutant(
        "masking: only what became [MASK] is a target",
        MASK + "_apply",
        ("np.where(selected, ids, IGNORED)", "np.where(selected & masked, ids, IGNORED)"),
        killers=("golden masks", "sound masks"),
    ),
    Mutant(
        "samples: the reverse strand is read in validation too",
        SAMPLES + "_flips",
        ("self.rc and (self.training or", "self.rc and (True or"),
        killers=("strands of samples",),
    ),
    Mutant(
        "samples: the reverse strand is not complemented",
        SAMPLES + "_read",
        ("Tokens().act(read[None])[0]", "flip(read, 0)"),
        killers=("strands of samples",),
    ),
    Mutant(
        "samples: N stays N where the model wants [PAD]",
        SAMPLES + "rows",
        ('self.n_as == "pad"', "False"),
        killers=("strands of samples",),
    ),
    Mutant(
        "samples: short windows are padded on the right",
        SAMPLES + "_read",
        (
            "ids[row, begin:], repeat[row, begin:] = read, lower",
            "ids[row, : len(read)], repeat[row, : len(read)] = read, lower",
        ),
        killers=("short windows",),
    ),
    Mutant(
        "order: every epoch has the first one's",
        "caduceus.data.order:sample_windows",
        ("n, seed, int(epoch))", "n, seed, 0)"),
        killers=("order of samples",),
    ),
    Mutant(
        "order: all ranks read the first one's share",
        "caduceus.data.order:Batches.__iter__",
        ("self.rank * share", "0 * share"),
        killers=("order of samples",),
    ),
)
