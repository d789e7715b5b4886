"""Write a small corpus in the layout of FLEURS, and a tiny checkpoint with random weights."""

from pathlib import Path

from otoscope.testing.checkpoints import write_checkpoint
from otoscope.testing.fleurs import write_fleurs

write_fleurs(Path("pretend"), languages=["en_us", "cmn_hans_cn", "zu_za"], n_sentences=(12, 4, 10))
write_checkpoint("checkpoint", "hubert")
