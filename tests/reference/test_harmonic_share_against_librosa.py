"""librosa's soft masks with a power of 1 are the same definition."""

import numpy as np

from otoscope.features.balance import harmonic_share


def test_soft_masks_agree(rng):
    import librosa

    power = rng.gamma(0.5, size=(128, 300)).astype(np.float32)
    held, struck = librosa.decompose.hpss(power, kernel_size=(17, 17), power=1.0, mask=True)
    share = harmonic_share(power)
    np.testing.assert_allclose(share, held, atol=1e-5)
    np.testing.assert_allclose(1 - share, struck, atol=1e-5)
