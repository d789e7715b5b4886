"""What a listener could name: explainable handcrafted (EHC) features of music, in groups, each in plain words."""
