"""From genomes on disk to the samples that a model trains on. Imports neither torch nor lightning."""

from caduceus.data.cache import cache_dir
from caduceus.data.class_folders import from_coordinates, read_class_folder
from caduceus.data.context import ContextModel, IntervalIds, context_models
from caduceus.data.cutting import cut_windows, official_windows, sound_windows
from caduceus.data.genome import Genome, ecoli_path, is_base, is_lower, letter_ids
from caduceus.data.intervals import Intervals, Row
from caduceus.data.labels import Labelled, labelled
from caduceus.data.masking import Masked, mask_ids, mask_ids_by_torch, mask_rows
from caduceus.data.order import Batches, sample_windows, shuffled
from caduceus.data.pretraining import MaskedLMData
from caduceus.data.repeats import Repeats, find_repeats
from caduceus.data.score import Score
from caduceus.data.sequences import Named, Region, bed_regions, fasta_sequences, region_sequences, table_sequences
from caduceus.data.tables import Table, read_table
from caduceus.data.variant_files import Record, VariantFile
from caduceus.data.variant_survey import Survey, survey
from caduceus.data.variants import REASONS, Allele, Bases, ContigNames, Judge, flank_of
from caduceus.data.windows import Window, WindowReport, Windows

__all__ = [
    "REASONS",
    "Allele",
    "Bases",
    "Batches",
    "ContextModel",
    "ContigNames",
    "Genome",
    "IntervalIds",
    "Intervals",
    "Judge",
    "Labelled",
    "Masked",
    "MaskedLMData",
    "Named",
    "Record",
    "Region",
    "Repeats",
    "Row",
    "Score",
    "Survey",
    "Table",
    "VariantFile",
    "Window",
    "WindowReport",
    "Windows",
    "bed_regions",
    "cache_dir",
    "context_models",
    "cut_windows",
    "ecoli_path",
    "fasta_sequences",
    "find_repeats",
    "flank_of",
    "from_coordinates",
    "is_base",
    "is_lower",
    "labelled",
    "letter_ids",
    "mask_ids",
    "mask_ids_by_torch",
    "mask_rows",
    "official_windows",
    "read_class_folder",
    "read_table",
    "region_sequences",
    "sample_windows",
    "shuffled",
    "sound_windows",
    "survey",
    "table_sequences",
]
