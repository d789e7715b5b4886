"""Networks from checkpoints of ``transformers``: one family per way of hearing."""
